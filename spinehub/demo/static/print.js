/* The report's print view: the file the page offers, in a frame of its own, handed to the browser's print dialogue. */
(function () {
  "use strict";

  function say(text) {
    const button = document.getElementById("sh-print-report"), before = button.textContent;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 2500);
  }

  /* `report` is what the page knows of the file: its address, or nothing where there is none yet. */
  window.spinehubPrint = async function (report) {
    const answer = report?.url && await fetch(report.url, { cache: "no-store" });
    if (!answer?.ok) { say("No report yet"); return; }
    document.getElementById("sh-print")?.remove();
    const frame = document.createElement("iframe");
    frame.id = "sh-print";
    frame.title = "Report to print";
    frame.tabIndex = -1;
    // The report runs nothing: its own policy forbids scripts, and so does the frame.
    frame.sandbox = "allow-same-origin allow-modals";
    frame.srcdoc = await answer.text();
    frame.addEventListener("load", () => frame.contentWindow.print(), { once: true });
    document.body.append(frame);
  };
})();
