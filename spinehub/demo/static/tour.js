/* The guided tour: eight short steps on the simulated example. Each moves the viewer and says what to see. */
(function () {
  "use strict";
  const EARLY_S = 45;

  /* Frame nearest to a time after arrival. */
  function frameAt(viewer, seconds) {
    const { times_s: times, arrival_s: arrival } = viewer.info;
    if (!times || arrival === null) return viewer.frameCount - 1;
    const gap = (n) => Math.abs(times[n] - arrival - seconds);
    return times.reduce((best, _, n) => (gap(n) < gap(best) ? n : best), 0);
  }

  const STEPS = [
    { at: "#sh-viewer", title: "Before contrast",
      text: "A simulated spine with one lesion. The orange outline was grown from one click, the white dot. In this first frame no contrast has arrived: look how the lesion differs from the marrow beside it, and how little.",
      move: (v) => v.setFrame(0) },
    { at: "#sh-viewer", title: "Contrast arrives",
      text: "The frame nearest to 45 s after arrival. The lesion has taken up contrast. Drag the frame slider, or press ▶ to play the frames.",
      move: (v) => v.setFrame(frameAt(v, EARLY_S)) },
    { at: "#sh-viewer", title: "Subtraction",
      text: "The same frame minus the mean of the frames before contrast. Only what enhances stays bright; fat, bright in every frame, is gone.",
      move: (v) => { v.setFrame(frameAt(v, EARLY_S)); v.setSubtraction(true); } },
    { at: "#sh-viewer", title: "A number in every voxel",
      text: "Early enhancement as a map, in % over baseline, with its colour bar. Move the crosshair: the line under the image reads the map.",
      move: (v) => v.controls.showOverlay("early_enhancement") },
    { at: "#sh-border", title: "The border is yours",
      text: "The tolerance says how far the region grows; here the outline shows half of what is suggested. Drag the slider: the outline follows in the browser, without the server. The small curve shows the volume; a jump in it would be a leak.",
      move: (v) => v.setTolerance(0.5 * v.info.tolerance) },
    { at: "#sh-curve", title: "One curve, two parameters",
      text: "The curve of the lesion's hot spot. Early enhancement is read 45 s after arrival; wash-out from 67 s, or an earlier peak, to 240 s: does the curve fall, stay or rise? A “?” beside a number says what it is.",
      move: (v) => v.setTolerance(v.info.tolerance) },
    { at: "#sh-result", title: "Four readings, one simulator",
      text: "A rule, radiomics and two networks each read the lesion, for equal priors. All learned from the same simulator, so agreement is no independent confirmation. Open “why?” under a bar; set your prior below.",
      move: () => {} },
    { at: "#sh-viewer", title: "Your turn",
      text: "Press Seed and click another place, or open a file of your own, without patient data. On the Teaching tab you read ten simulated cases before the methods do. Nothing here is a diagnosis.",
      move: (v) => v.controls.setMode("browse") },
  ];

  const tour = { step: -1, card: null, before: null };

  function build() {
    const card = document.createElement("section");
    card.id = "sh-tour";
    card.setAttribute("role", "dialog");
    card.setAttribute("aria-labelledby", "sh-tour-title");
    card.innerHTML = '<div class="sh-tour-count"></div><h2 id="sh-tour-title"></h2><p aria-live="polite"></p>'
      + '<div class="sh-tour-buttons"><button type="button" data-tour="end">End</button>'
      + '<button type="button" data-tour="back">Back</button><button type="button" data-tour="next">Next</button></div>';
    card.addEventListener("click", (event) => {
      const asked = event.target.dataset.tour;
      if (asked === "end") end();
      if (asked === "back") show(tour.step - 1);
      if (asked === "next") { if (tour.step === STEPS.length - 1) end(); else show(tour.step + 1); }
    });
    card.addEventListener("keydown", (event) => { if (event.key === "Escape") end(); });
    (document.querySelector(".gradio-container") || document.body).append(card);
    return card;
  }

  /* The view each step starts from, so that steps can be taken back and forth. */
  function neutral(viewer) {
    viewer.controls.stopCine();
    viewer.setSubtraction(false);
    viewer.controls.showOverlay("");
    viewer.setTolerance(viewer.info.tolerance);
    if (viewer.info.focus) viewer.goTo(viewer.info.focus);
  }

  function mark(selector) {
    document.querySelectorAll(".sh-toured").forEach((node) => node.classList.remove("sh-toured"));
    const node = selector && document.querySelector(selector);
    if (!node) return;
    (node.closest(".sh-card") || node).classList.add("sh-toured");
    node.scrollIntoView({ block: "nearest" });
  }

  function show(step) {
    const viewer = window.spinehubViewer, { at, title, text, move } = STEPS[step], { card } = tour;
    tour.step = step;
    neutral(viewer);
    move(viewer);
    viewer.controls.showPressed();
    card.querySelector(".sh-tour-count").textContent = `Step ${step + 1} of ${STEPS.length}`;
    card.querySelector("h2").textContent = title;
    card.querySelector("p").textContent = text;
    card.querySelector("[data-tour=back]").disabled = step === 0;
    const next = card.querySelector("[data-tour=next]");
    next.textContent = step === STEPS.length - 1 ? "Finish" : "Next";
    mark(at);
    next.focus({ preventScroll: true });
  }

  function end() {
    const viewer = window.spinehubViewer;
    tour.card?.remove();
    tour.card = null; tour.step = -1;
    mark(null);
    if (viewer?.volume) neutral(viewer);
    document.getElementById("sh-start-tour")?.focus();
  }

  /* The tour is about the example: bring it back first where another case is shown. */
  function start() {
    const viewer = window.spinehubViewer;
    if (!viewer?.volume) return;
    document.querySelector("[role=tab]")?.click();
    const begin = () => { tour.card = tour.card || build(); show(0); };
    if (!viewer.info.own_image && viewer.info.seeds.length) { begin(); return; }
    document.querySelector("#sh-example")?.click();
    const wait = setInterval(() => {
      if (viewer.info.own_image || !viewer.info.seeds.length) return;
      clearInterval(wait);
      begin();
    }, 200);
    setTimeout(() => clearInterval(wait), 30000);
  }

  document.addEventListener("click", (event) => { if (event.target.closest("#sh-start-tour")) start(); });
})();
