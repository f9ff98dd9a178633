// The page as the daemon gives it, asked for again every two seconds while somebody looks; only what changed is put in.
"use strict";

const live = document.getElementById("live");
const link = document.getElementById("link");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    if (next && next.innerHTML !== live.innerHTML) live.replaceChildren(...next.childNodes);
    link.textContent = "";
  } catch {
    link.textContent = "The daemon does not answer: what you see may be old.";
  }
}

setInterval(refresh, 2000);
document.addEventListener("visibilitychange", refresh);
