// Wires the page: transport, waveform, table, keys, theme.
const wave = $("wave"), shape = new Map();
function peaks(id) {
  if (!shape.has(id)) {
    const data = player.buffers.get(id).getChannelData(0), count = 800, step = data.length / count, out = new Float32Array(2 * count);
    for (let k = 0; k < count; k++) {
      let low = 0, high = 0;
      for (let i = Math.floor(k * step); i < (k + 1) * step && i < data.length; i++) { if (data[i] < low) low = data[i]; if (data[i] > high) high = data[i]; }
      out[2 * k] = low; out[2 * k + 1] = high;
    }
    shape.set(id, out);
  }
  return shape.get(id);
}
function draw() {
  const pen = wave.getContext("2d"), { width, height } = wave, css = getComputedStyle(document.documentElement);
  const ink = css.getPropertyValue("--soft"), accent = css.getPropertyValue("--accent");
  pen.clearRect(0, 0, width, height);
  if (!player.duration) return;
  const at = (time) => (time / player.duration) * width;
  if (player.loop) { pen.globalAlpha = 0.18; pen.fillStyle = accent; pen.fillRect(at(player.loop[0]), 0, at(player.loop[1] - player.loop[0]), height); pen.globalAlpha = 1; }
  const running = abx.running || rating.running; // the shape of a wave would tell who plays
  const values = peaks(running ? facts.tracks[0].id : player.heard), top = Math.max(...values.map(Math.abs)) || 1, now = at(player.position());
  for (let k = 0; k < values.length / 2; k++) {
    const x = (k / (values.length / 2)) * width;
    pen.fillStyle = x <= now ? accent : ink;
    const low = (values[2 * k] / top) * 0.46 * height, high = (values[2 * k + 1] / top) * 0.46 * height;
    pen.fillRect(x, height / 2 - high, 1.4, Math.max(high - low, 1));
  }
  pen.fillStyle = accent; pen.fillRect(now - 1.5, 0, 3, height);
}
function show() {
  $("play").textContent = player.playing ? "Pause" : "Play";
  const place = player.position();
  $("clock").textContent = `${place.toFixed(2)} / ${(player.duration || 0).toFixed(2)} s`;
  wave.setAttribute("aria-valuenow", place.toFixed(2));
  $("unloop").disabled = !player.loop;
  const hidden = abx.running || rating.running;
  for (const button of document.querySelectorAll("[data-track]")) button.setAttribute("aria-pressed", String(!hidden && button.dataset.track === player.track));
  draw();
}
function tick() { if (player.playing) show(); requestAnimationFrame(tick); }
function select(id) { player.choose(id); show(); }

$("play").addEventListener("click", async () => { await player.toggle(); show(); });
for (const button of document.querySelectorAll("[data-track]")) button.addEventListener("click", () => select(button.dataset.track));
$("matched").addEventListener("change", (event) => { player.matched = event.target.checked; player.refresh(); show(); });
$("difference").addEventListener("change", (event) => { player.difference = event.target.checked; if (player.duration) player.ensure(player.heard); player.refresh(); show(); });
$("boost").addEventListener("input", (event) => { player.boost = Number(event.target.value); $("boost-value").textContent = `${player.boost} dB`; player.refresh(); });
$("unloop").addEventListener("click", () => { player.setLoop(null); show(); });

let drag = null;
const timeAt = (event) => { const box = wave.getBoundingClientRect(); return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * player.duration; };
wave.addEventListener("pointerdown", (event) => { if (player.duration) { drag = { from: timeAt(event), x: event.clientX }; wave.setPointerCapture(event.pointerId); } });
wave.addEventListener("pointermove", (event) => { if (drag && Math.abs(event.clientX - drag.x) > 6) { player.loop = [drag.from, timeAt(event)].sort((a, b) => a - b); draw(); } });
wave.addEventListener("pointerup", (event) => {
  if (!drag) return;
  if (Math.abs(event.clientX - drag.x) > 6) player.setLoop([drag.from, timeAt(event)].sort((a, b) => a - b)); else player.seek(drag.from);
  drag = null; show();
});

const table = $("scores");
for (const button of document.querySelectorAll(".switch [data-view]")) button.addEventListener("click", () => {
  table.dataset.view = button.dataset.view;
  press(document.querySelectorAll(".switch [data-view]"), button);
});
$("all-metrics").addEventListener("change", (event) => table.classList.toggle("everything", event.target.checked));
[...table.tHead.rows[0].cells].forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
  const down = head.getAttribute("aria-sort") === "ascending", view = table.dataset.view, body = table.tBodies[0];
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => { const cell = row.cells[column]; return row.classList.contains("failed") && column ? NaN : column ? Number(cell.dataset[view]) : cell.textContent.trim(); };
  body.append(...[...body.rows].sort((a, b) => {
    const x = key(a), y = key(b);
    if (!column) return (down ? -1 : 1) * x.localeCompare(y);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // what has no figure stays below
    return x === y ? 0 : (down ? -1 : 1) * (x < y ? -1 : 1);
  }));
}));

$("abx-start").addEventListener("click", () => abx.start());
$("abx-stop").addEventListener("click", () => abx.finish());
$("abx-export").addEventListener("click", () => save("abx.json", abx.results));
for (const button of document.querySelectorAll("[data-abx]")) button.addEventListener("click", () => abx.listen(button.dataset.abx));
for (const button of document.querySelectorAll("[data-answer]")) button.addEventListener("click", () => abx.answer(button.dataset.answer));
$("rating-start").addEventListener("click", () => rating.start());
$("rating-done").addEventListener("click", () => rating.finish());
$("rating-export").addEventListener("click", () => save("rating.json", rating.results));
$("rating-reference").setAttribute("aria-pressed", "false");
$("rating-reference").addEventListener("click", () => { rating.mark($("rating-reference")); hear(facts.tracks[0].id); });

$("theme").addEventListener("click", () => {
  const root = document.documentElement, dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark"; draw();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !player.duration) return;
  if (rating.running && /^[0-9r]$/i.test(event.key)) { event.preventDefault(); rating.listen(Number(event.key) || 0); return; } // on a slider too: it takes no digits
  const field = event.target.closest("input:not([type=checkbox]), select, textarea, summary");
  if (field && event.key !== "Escape") return;
  const key = event.key.toLowerCase(), step = event.shiftKey ? 0.1 : 1;
  if (abx.running && "abx".includes(key)) {
    event.preventDefault();
    if (!event.shiftKey) abx.listen(key.toUpperCase()); else if (key !== "x") abx.answer(key.toUpperCase());
    return;
  }
  if (key === " " && !event.target.matches("button:focus-visible, input")) { event.preventDefault(); Promise.resolve(player.toggle()).then(show); return; }
  const place = player.position(), [start, end] = player.region();
  if (key === "arrowleft" || key === "arrowright") player.seek(place + (key === "arrowleft" ? -step : step));
  else if (key === "[") player.setLoop([place, end > place ? end : player.duration]);
  else if (key === "]") player.setLoop([start < place ? start : 0, place]);
  else if (key === "escape") player.setLoop(null);
  else if (abx.running || rating.running) return;
  else if (key === "m") { $("matched").click(); return; }
  else if (key === "d") { $("difference").click(); return; }
  else {
    const track = facts.tracks.find((t) => t.key && t.key.toLowerCase() === key);
    if (!track) return;
    player.choose(track.id);
  }
  event.preventDefault(); show();
});

player.decode().then(() => {
  for (const id of ["play", "abx-start", "rating-start"]) $(id).disabled = facts.tracks.length < 2 && id !== "play";
  $("status").textContent = ""; document.documentElement.dataset.ready = "yes";
  show(); requestAnimationFrame(tick);
}).catch((error) => { $("status").textContent = `The audio could not be decoded: ${error.message}`; });
window.ampwright = { player, abx, rating, guessing };
