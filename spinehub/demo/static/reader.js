/* The Teaching tab and the reader's card: opening a case from the list, going to the true lesion once it is known. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});

  /* Called by the list when it is mounted; its rows are drawn anew, so one listener hears them all. */
  NS.lessons = function (element, trigger) {
    element.dataset.listening = "";
    element.addEventListener("click", (event) => {
      const asked = event.target.closest("[data-lesson]");
      if (!asked) return;
      document.querySelector("[role=tab]")?.click();
      window.spinehubViewer?.message("Rendering the simulated case …");
      trigger("read", { number: Number(asked.dataset.lesson) });
    });
  };

  document.addEventListener("click", (event) => {
    const place = event.target.closest("[data-goto]")?.dataset.goto;
    if (place) window.spinehubViewer?.goTo(place.split(",").map(Number));
  });

  /* How sure one is means something for the two classes only. */
  NS.answered = function (answer) {
    const card = document.getElementById("sh-reader");
    if (card) card.dataset.answer = answer ?? "";
  };
})();
