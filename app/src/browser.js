// Times. The server writes UTC into <time data-as>; here they become local, and relative ones move on.
const day = 864e5;
const span = (ms) => {
  const [size, unit] =
    ms < 36e5 ? [6e4, "minute"]
    : ms < day ? [36e5, "hour"]
    : ms < 28 * day ? [day, "day"]
    : ms < 84 * day ? [7 * day, "week"]
    : ms < 730 * day ? [30 * day, "month"]
    : [365 * day, "year"];
  const count = Math.floor(ms / size);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
};
const format = (parts) => new Intl.DateTimeFormat("en-GB", parts);
const date = { day: "numeric", month: "short", year: "numeric" };
const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const formats = {
  date: format(date),
  minute: format({ ...date, ...clock, second: undefined }),
  second: format({ ...date, ...clock }),
  time: format(clock),
};
const utc = format({ ...date, ...clock, timeZone: "UTC" });
const zone = formats.date.resolvedOptions().timeZone;
const relative = {
  ago: (ms) => (ms < 6e4 ? "just now" : `${span(ms)} ago`),
  until: (ms) => span(Math.max(-ms, 6e4)),
};
const draw = () => {
  // A chosen day ends at its last second, where the user is.
  for (const field of document.querySelectorAll("[data-ends]")) {
    const [year, month, date] = field.value.split("-");
    const end = date && new Date(year, month - 1, +date + 1) - 1e3;
    field.nextElementSibling.value = end || "";
    const line = field.parentElement.nextElementSibling;
    line.hidden = !end;
    const time = line.querySelector("time");
    const iso = end ? new Date(end).toISOString() : time.dateTime;
    if (time.dateTime !== iso) time.dateTime = iso;
  }
  for (const field of document.querySelectorAll("[data-moment]")) {
    field.nextElementSibling.value = field.value && new Date(field.value).getTime();
  }
  for (const time of document.querySelectorAll("time[data-as]")) {
    const at = new Date(time.dateTime);
    const as = time.dataset.as;
    const text = relative[as]?.(Date.now() - at) ?? formats[as].format(at);
    // The text node stays, because the framework holds it.
    if (time.textContent !== text) time.firstChild.data = text;
    const title = `${formats.second.format(at)} ${zone} · ${utc.format(at)} UTC`;
    if (time.title !== title) time.title = title;
  }
};
new MutationObserver(draw).observe(document.body, {
  subtree: true,
  childList: true,
  characterData: true,
  attributeFilter: ["datetime"],
});
// A file of many lines is too long for an address.
addEventListener("click", ({ target }) => {
  const link = target.closest?.('a[href^="data:text/csv"]');
  if (!link) return;
  const text = decodeURIComponent(link.href.slice(link.href.indexOf(",") + 1));
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
}, true);
// A menu closes when one of its links is followed or one of its forms is sent.
const closeMenu = (part) => part?.closest(":popover-open")?.hidePopover();
addEventListener("click", ({ target }) => closeMenu(target.closest?.("a")));
addEventListener("submit", ({ target }) => closeMenu(target));
addEventListener("input", draw);
setInterval(draw, 3e4);
draw();

// The fields of a search follow the address, after Back too. One that is being typed into stays.
let typed;
addEventListener("input", ({ target }) => (typed = target), true);
for (const end of ["click", "popstate", "submit"]) addEventListener(end, () => (typed = undefined), true);
new MutationObserver((changes) => {
  for (const { target } of typed ? [] : changes) {
    if (target.matches("search option")) target.selected = target.defaultSelected;
    if (target.matches("search [type=search], search [type=date]")) target.value = target.defaultValue;
  }
}).observe(document.body, { subtree: true, attributeFilter: ["value", "selected"] });

// Copying. Over plain HTTP from another machine there is no navigator.clipboard: then the text is revealed, selected, and
// copied by the command that browsers had before.
window.copyText = async (text, button) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {}
  const block = button.closest(".secret, .code");
  const show = document.getElementById("show-secret");
  if (show && block?.querySelector("[data-secret]")) show.checked = true;
  const shown = [...(block?.querySelectorAll("output, code") ?? [])].find((part) => part.offsetParent);
  if (shown) getSelection().selectAllChildren(shown);
  let copied = false;
  const onCopy = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
    copied = true;
  };
  addEventListener("copy", onCopy, true);
  const done = document.execCommand("copy");
  removeEventListener("copy", onCopy, true);
  return done && copied;
};
