// Exchanges the token of a link, which follows the #, for a cookie that no script can read. The token then leaves the
// address bar, and the browser's history.
const token = location.hash.slice(1);
const state = document.getElementById("state");
history.replaceState(null, "", "/enter");

if (!token) {
  state.textContent = "Open the link that your teacher gave you.";
} else {
  const headers = { "Content-Type": "application/json" };
  fetch("api/enter", { method: "POST", headers, body: JSON.stringify({ token }) }).then(async (answer) => {
    if (answer.ok) location.replace("/");
    else state.textContent = `You cannot enter: ${(await answer.json()).error}. Ask your teacher for a link.`;
  }).catch(() => { state.textContent = "The server does not answer. Open the link again."; });
}
