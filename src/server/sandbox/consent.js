
document.getElementById("close").addEventListener("click", function () {
  window.close();
  // Only a window that a script opened may close itself.
  setTimeout(function () {
    document.getElementById("still-open").textContent = "The browser keeps this window open. Close the tab yourself.";
  }, 300);
});
