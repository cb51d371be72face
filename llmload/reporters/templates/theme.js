"use strict";
// before anything is painted, so that a page which was made dark does not flash
try {
  const kept = localStorage.getItem("llmload-theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
} catch {
  // storage may be denied to files: the page then follows the system
}
