"use strict";
(() => {
  // The clipboard is there on https and on this machine only; elsewhere the text is selected for the reader to copy.
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  };

  // The same words twice are news only where there was nothing in between.
  const tell = (region, words) => {
    region.textContent = "";
    setTimeout(() => { region.textContent = words; }, 50);
  };

  const share = document.getElementById("share");
  const field = document.getElementById("share-link");
  share.addEventListener("click", async () => {
    const link = new URL(share.dataset.link, location.href).href;
    const isCopied = await copied(link);
    field.hidden = isCopied;
    if (!isCopied) {
      field.value = link;
      field.focus();
      field.select();
    }
    tell(document.getElementById("told"), isCopied ? share.dataset.copied : share.dataset.byHand);
  });
  share.hidden = false;
  document.getElementById("shared-view").hidden = true;

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const command = document.getElementById(button.dataset.of);
      const isCopied = await copied(command.textContent);
      if (!isCopied) getSelection().selectAllChildren(command);
      tell(document.getElementById(button.dataset.told), isCopied ? button.dataset.copied : button.dataset.byHand);
    });
    button.hidden = false;
  }
})();
