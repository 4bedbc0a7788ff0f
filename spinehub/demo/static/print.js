/* The report's print view: the file the page offers, in a frame of its own, handed to the browser's print dialogue. */
(function () {
  "use strict";
  const LINK = "a[download][href*='report.html']";

  async function printReport(button) {
    const link = document.querySelector(LINK), answer = link && await fetch(link.href, { cache: "no-store" });
    if (!answer?.ok) {
      button.textContent = "No report yet";
      setTimeout(() => { button.textContent = "Print"; }, 2500);
      return;
    }
    document.getElementById("sh-print")?.remove();
    const frame = document.createElement("iframe");
    frame.id = "sh-print";
    frame.title = "Report to print";
    frame.setAttribute("aria-hidden", "true");
    // The report runs nothing: its own policy forbids scripts, and so does the frame.
    frame.sandbox = "allow-same-origin allow-modals";
    frame.srcdoc = await answer.text();
    frame.addEventListener("load", () => { frame.contentWindow.focus(); frame.contentWindow.print(); }, { once: true });
    document.body.append(frame);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#sh-print-report");
    if (button) printReport(button);
  });
})();
