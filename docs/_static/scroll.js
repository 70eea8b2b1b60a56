// What scrolls sideways can be reached by keyboard, and says what it is; what fits is no stop.
const PARTS = [["table", ".table-wrapper"], ["formula", ".math-wrapper"], ["output", ".output pre, .output.text_html"], ["code", "pre"]];

function markScrolling() {
  const seen = new Set();
  for (const [name, parts] of PARTS) {
    for (const part of document.querySelectorAll(parts)) {
      if (seen.has(part)) continue;
      seen.add(part);
      if (part.scrollWidth > part.clientWidth) {
        part.tabIndex = 0;
        part.setAttribute("role", "group");
        part.setAttribute("aria-label", `${name}, scrolls sideways`);
      } else {
        for (const kept of ["tabindex", "role", "aria-label"]) part.removeAttribute(kept);
      }
    }
  }
}

addEventListener("load", markScrolling);
addEventListener("resize", markScrolling);
