// The page as the daemon gives it, asked for again every two seconds while somebody looks. Only what changed is put in:
// focus, selection, scroll and what is being typed stay as they are. The search asks the daemon, by the page's address.
"use strict";

const live = document.getElementById("live");
const link = document.getElementById("link");
const search = document.getElementById("search");
let asked = 0;

async function refresh() {
  if (document.hidden) return;
  const mine = ++asked;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return; // a later question is on its way
    show(next);
    link.textContent = "";
  } catch {
    link.textContent = "The daemon does not answer: what you see may be old.";
  }
}

function show(next) {
  const focused = document.activeElement;
  patch(live, next.getElementById("live"));
  // A card that has moved to another place loses the focus on its way.
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  for (const select of search ? search.querySelectorAll("select") : []) {
    const given = next.querySelector(`#search select[name="${select.name}"]`);
    if (select === document.activeElement || !given) continue;
    const chosen = select.value;
    patch(select, given);
    select.value = chosen;
  }
}

// Makes one element like another: children with an id are known by it, all others by their place and kind.
function patch(old, next) {
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const wanted of [...next.childNodes]) {
    const same = wanted.id ? known.get(wanted.id) : isLike(place, wanted) ? place : null;
    if (!same) {
      old.insertBefore(wanted, place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    if (same.nodeType === Node.ELEMENT_NODE) patch(same, wanted);
    else if (same.nodeValue !== wanted.nodeValue) same.nodeValue = wanted.nodeValue;
  }
  while (place) {
    const after = place.nextSibling;
    place.remove();
    place = after;
  }
}

function isLike(node, wanted) {
  return node !== null && node.nodeName === wanted.nodeName && !node.id;
}

if (search) {
  const form = search.querySelector("form");
  const find = () => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
    refresh();
  };
  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(find, 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
  search.hidden = false;
}

setInterval(refresh, 2000);
document.addEventListener("visibilitychange", refresh);
