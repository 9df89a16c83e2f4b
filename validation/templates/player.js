// Plays all signals in step: every track runs all the time on one clock, and switching only moves gains.
"use strict";
const facts = JSON.parse(document.getElementById("facts").textContent);
const $ = (id) => document.getElementById(id);
const FADE = 0.004; // seconds, time constant of a switch

class Player {
  constructor() {
    this.context = null; this.graph = null; this.playing = false;
    this.buffers = new Map(); this.gains = new Map(); this.boost = 0;
    this.track = facts.tracks[0].id; this.matched = true; this.difference = false;
    this.offset = 0; this.started = 0; this.loop = null; this.restarts = 0;
    for (const track of facts.tracks) this.gains.set(track.id, track.gain);
    // one factor for all, so that no matched track can clip
    this.headroom = Math.min(1, 0.98 / Math.max(...facts.tracks.map((t) => t.peak * Math.max(t.gain, 1))));
  }
  async decode() {
    const decoder = new OfflineAudioContext(1, 1, facts.rate);
    for (const track of facts.tracks) {
      const text = atob(track.audio), bytes = new Uint8Array(text.length);
      for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
      this.buffers.set(track.id, await decoder.decodeAudioData(bytes.buffer));
      track.audio = "";
    }
    this.duration = Math.min(...[...this.buffers.values()].map((b) => b.duration));
  }
  // the signal that is heard: a track, or what it lacks to the target
  get heard() { return this.difference && this.track !== facts.tracks[0].id ? "-" + this.track : this.track; }
  ensure(id) {
    if (this.buffers.has(id)) return;
    const a = this.buffers.get(facts.tracks[0].id), b = this.buffers.get(id.slice(1));
    const buffer = new AudioBuffer({ length: Math.min(a.length, b.length), sampleRate: a.sampleRate });
    const x = a.getChannelData(0), y = b.getChannelData(0), z = buffer.getChannelData(0);
    for (let i = 0; i < z.length; i++) z[i] = x[i] - y[i];
    this.buffers.set(id, buffer);
  }
  level(id) {
    if (id !== this.heard) return 0;
    if (id.startsWith("-")) return this.headroom * 10 ** (this.boost / 20);
    return this.headroom * (this.matched ? this.gains.get(id) : 1);
  }
  region() { return this.loop || [0, this.duration]; }
  // builds all sources on any context, so that a test can render what the ear would get
  build(context, when, offset) {
    const graph = { master: context.createGain(), nodes: new Map(), context };
    graph.master.connect(context.destination);
    this.ensure(this.heard);
    for (const id of this.buffers.keys()) this.join(graph, id, when, offset);
    return graph;
  }
  join(graph, id, when, offset) {
    const source = graph.context.createBufferSource(), gain = graph.context.createGain();
    const [start, end] = this.region();
    source.buffer = this.buffers.get(id);
    source.loop = true; source.loopStart = start; source.loopEnd = end;
    gain.gain.value = this.level(id);
    source.connect(gain).connect(graph.master);
    source.start(when, offset);
    graph.nodes.set(id, { source, gain });
  }
  apply(graph, at) {
    for (const [id, node] of graph.nodes) node.gain.gain.setTargetAtTime(this.level(id), at, FADE);
  }
  refresh() {
    if (!this.graph) return;
    this.ensure(this.heard);
    if (!this.graph.nodes.has(this.heard)) {
      const when = this.context.currentTime + 0.02;
      this.join(this.graph, this.heard, when, this.position(when));
      this.graph.nodes.get(this.heard).gain.gain.value = 0;
    }
    this.apply(this.graph, this.context.currentTime);
  }
  position(at = this.context ? this.context.currentTime : 0) {
    if (!this.playing) return this.offset;
    const [start, end] = this.region(), place = this.offset + Math.max(at - this.started, 0);
    return place < end ? place : start + ((place - start) % (end - start));
  }
  launch() {
    const [start, end] = this.region();
    if (this.offset < start || this.offset >= end) this.offset = start;
    this.started = this.context.currentTime + 0.03;
    this.graph = this.build(this.context, this.started, this.offset);
    this.restarts++;
  }
  halt() {
    if (!this.graph) return;
    const { master, nodes } = this.graph, now = this.context.currentTime;
    master.gain.setTargetAtTime(0, now, FADE);
    for (const { source } of nodes.values()) source.stop(now + 0.05);
    this.graph = null;
  }
  async play() {
    if (this.playing) return;
    this.context ||= new AudioContext({ sampleRate: facts.rate });
    await this.context.resume();
    this.launch();
    this.playing = true;
  }
  pause() {
    if (!this.playing) return;
    this.offset = this.position(); this.playing = false; this.halt();
  }
  toggle() { return this.playing ? this.pause() : this.play(); }
  seek(place) {
    const [start, end] = this.region();
    this.offset = Math.min(Math.max(place, start), Math.max(end - 0.01, start));
    if (this.playing) { this.halt(); this.launch(); }
  }
  setLoop(loop) {
    const place = this.position();
    this.loop = loop && loop[1] - loop[0] >= 0.05 ? [Math.max(loop[0], 0), Math.min(loop[1], this.duration)] : null;
    this.seek(place);
  }
  choose(id) { this.track = id; this.refresh(); }
}
const player = new Player();
