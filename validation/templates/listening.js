// Blind tests: ABX with its binomial p-value, and rating with hidden reference and anchor; results leave as JSON.
function drawBit() { return crypto.getRandomValues(new Uint8Array(1))[0] & 1; }
function shuffled(list) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const limit = 2 ** 32 - (2 ** 32 % (i + 1)); // without the bias of a plain remainder
    let draw;
    do { draw = crypto.getRandomValues(new Uint32Array(1))[0]; } while (draw >= limit);
    const j = draw % (i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}
// probability of at least `right` of `trials` by guessing
function guessing(right, trials) {
  let term = 0.5 ** trials, total = 0;
  for (let k = 0; k <= trials; k++) {
    if (k >= right) total += term;
    term *= (trials - k) / (k + 1);
  }
  return Math.min(total, 1);
}
const label = (id) => facts.tracks.find((track) => track.id === id).label;
function save(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1) + "\n"], { type: "application/json" }));
  link.download = name; link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
function press(buttons, chosen) { for (const button of buttons) button.setAttribute("aria-pressed", String(button === chosen)); }
function blind(on) { $("listen").inert = on; if (on) { player.difference = false; $("difference").checked = false; player.matched = true; $("matched").checked = true; } }
async function hear(id) { player.choose(id); await player.play(); show(); }
function text(element, ...parts) { element.replaceChildren(...parts); }
function strong(words) { const b = document.createElement("b"); b.textContent = words; return b; }

const abx = {
  running: false, results: null, secret: 0,
  start() {
    const a = $("abx-a").value, b = $("abx-b").value;
    if (a === b) { text($("abx-result"), "Choose two different signals."); return; }
    const trials = Math.min(Math.max(Math.round(Number($("abx-trials").value)) || 10, 5), 100);
    this.results = { test: "ABX", a, b, trials: [], wanted: trials }; this.running = true;
    $("abx-running").hidden = false; $("abx-form").hidden = true; $("abx-export").hidden = true; $("rating-start").disabled = true; text($("abx-result"));
    blind(true); this.next(); document.querySelector("[data-abx=X]").focus();
  },
  next() {
    this.secret = drawBit();
    $("abx-count").textContent = `Trial ${this.results.trials.length + 1} of ${this.results.wanted}`;
    press(document.querySelectorAll("[data-abx]"), null);
  },
  listen(which) {
    if (!this.running) return;
    const { a, b } = this.results;
    press(document.querySelectorAll("[data-abx]"), document.querySelector(`[data-abx="${which}"]`));
    hear(which === "A" ? a : which === "B" ? b : this.secret ? b : a);
  },
  answer(which) {
    if (!this.running) return;
    this.results.trials.push({ x: this.secret ? "B" : "A", answer: which });
    if (this.results.trials.length === this.results.wanted) this.finish(); else this.next();
  },
  finish() {
    this.running = false; blind(false); player.pause(); show();
    $("abx-running").hidden = true; $("abx-form").hidden = false; $("rating-start").disabled = false; $("abx-start").focus();
    const trials = this.results.trials.length, right = this.results.trials.filter((t) => t.x === t.answer).length;
    if (!trials) { text($("abx-result"), "Stopped before the first answer."); return; }
    const p = guessing(right, trials);
    Object.assign(this.results, { right, p_value: p, a_label: label(this.results.a), b_label: label(this.results.b), report: facts.digest });
    text($("abx-result"), strong(`${right} of ${trials}`), ` right, p = ${p.toFixed(4)}. `,
      p < 0.05 ? "You hear a difference." : "No difference was shown.");
    if (trials < this.results.wanted) $("abx-result").append(" Stopped early: the p-value holds only for a number of trials fixed beforehand.");
    $("abx-export").hidden = false;
  },
};

const rating = {
  running: false, results: null,
  start() {
    const scale = $("rating-scale").value, [low, high] = scale === "mushra" ? [0, 100] : [1, 5];
    const stimuli = shuffled([{ id: facts.tracks[0].id, role: "hidden reference" },
      ...facts.tracks.slice(1).filter((t) => t.role !== "dry").map((t) => ({ id: t.id, role: t.role }))]);
    this.results = { test: scale === "mushra" ? "MUSHRA" : "DMOS", reference: label(facts.tracks[0].id), stimuli }; this.running = true;
    $("rating-words").textContent = scale === "mushra" ? "0 bad, 20 poor, 40 fair, 60 good, 80 to 100 excellent"
      : "5 inaudible, 4 audible, 3 slightly annoying, 2 annoying, 1 very annoying";
    $("rating-list").replaceChildren(...stimuli.map((stimulus, number) => {
      const item = document.createElement("li"), line = document.createElement("div"), button = document.createElement("button");
      const slider = document.createElement("input"), value = document.createElement("output");
      button.type = "button"; button.textContent = `Sound ${number + 1}`; button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => { this.mark(button); hear(stimulus.id); });
      Object.assign(slider, { type: "range", min: low, max: high, step: scale === "mushra" ? 1 : 0.1 });
      slider.value = low; stimulus.score = null; slider.setAttribute("aria-label", `Rating of sound ${number + 1}`); value.textContent = "–";
      slider.addEventListener("input", () => { stimulus.score = Number(slider.value); value.textContent = slider.value; });
      line.append(button, slider, value); item.append(line);
      return item;
    }));
    $("rating-running").hidden = false; $("rating-form").hidden = true; $("rating-export").hidden = true; $("abx-start").disabled = true; text($("rating-result"));
    blind(true); $("rating-reference").focus();
  },
  listen(number) { // 0 is the reference; keys end at nine
    const button = number ? $("rating-list").querySelectorAll("button")[number - 1] : $("rating-reference");
    if (button) button.click();
  },
  mark(button) { press($("rating-running").querySelectorAll("button[aria-pressed]"), button); },
  finish() {
    if (this.results.stimuli.some((s) => s.score === null)) { text($("rating-result"), "Rate every sound first: move each slider."); return; }
    this.running = false; blind(false); player.pause(); show();
    $("rating-running").hidden = true; $("rating-form").hidden = false; $("abx-start").disabled = false; $("rating-export").hidden = false; $("rating-start").focus();
    for (const stimulus of this.results.stimuli) stimulus.label = stimulus.role === "candidate" ? label(stimulus.id) : stimulus.role;
    Object.assign(this.results, { report: facts.digest });
    const list = document.createElement("ul");
    for (const stimulus of [...this.results.stimuli].sort((a, b) => b.score - a.score)) {
      const item = document.createElement("li");
      item.append(strong(String(stimulus.score)), ` ${stimulus.label}`);
      list.append(item);
    }
    text($("rating-result"), list);
    const hidden = this.results.stimuli.find((s) => s.role === "hidden reference").score; // BS.1534-3, 4.1.2
    if (this.results.test === "MUSHRA" && hidden < 90) $("rating-result").append(`The hidden reference got ${hidden}: tests after BS.1534 leave out listeners who often rate it under 90.`);
  },
};
