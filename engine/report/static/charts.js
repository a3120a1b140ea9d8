"use strict";
// Draws the run's charts on canvases. One time axis is shared by all of them, so that a zoom in one zooms all.
(() => {
  const data = JSON.parse(document.getElementById("run-data").textContent);
  const tip = document.getElementById("tip");
  const COLOURS = 8, LEFT = 64, RIGHT = 12, BOTTOM = 22, TOP = 8, MINUTE = 60000, HOUR = 3600000, DAY = 86400000;
  const charts = [];

  // ---- Words --------------------------------------------------------------------------------------------------------
  const clock = (() => {
    const wish = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
      second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };
    try { return new Intl.DateTimeFormat("en-GB", { ...wish, timeZone: data.zone }); }
    catch { return new Intl.DateTimeFormat("en-GB", { ...wish, timeZone: "UTC" }); }
  })();
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

  function parts(t) {
    const got = {};
    for (const { type, value } of clock.formatToParts(t)) got[type] = value;
    return got;
  }
  function offset(t) { // local time minus UTC, in ms
    const p = parts(t);
    const whole = Date.UTC(+p.year, +p.month - 1, +p.day, +p.hour, +p.minute, +p.second);
    return whole - Math.floor(t / 1000) * 1000;
  }
  function when(t) {
    const p = parts(t);
    const ms = +p.fractionalSecond ? "." + p.fractionalSecond : "";
    return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}${ms}`;
  }
  function dayLabel(t, years) {
    const p = parts(t);
    return `${+p.day} ${MONTHS[p.month - 1]}${years ? " " + p.year : ""}`;
  }
  function clockLabel(t, step) {
    const p = parts(t);
    const short = `${p.hour}:${p.minute}`;
    return step >= MINUTE ? short : step >= 1000 ? `${short}:${p.second}` : `${short}:${p.second}.${p.fractionalSecond}`;
  }
  function figure(value, most = 2) {
    return value.toLocaleString("en-US", { maximumFractionDigits: most }).replace("-", "−");
  }
  function detail(value) {
    const size = Math.abs(value);
    return figure(value, size >= 1000 ? 2 : size >= 1 ? 4 : 6);
  }

  // ---- Time without the stretches in which nothing happened ----------------------------------------------------------
  const breaks = data.breaks;
  const removed = [0];
  for (const [from, to] of breaks) removed.push(removed[removed.length - 1] + (to - from));

  function lower(list, value, key) { // first index whose key is not below value
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (key(list[middle]) < value) low = middle + 1; else high = middle;
    }
    return low;
  }
  function squeeze(t) {
    const at = lower(breaks, t, (b) => b[1]);
    const inside = at < breaks.length && t > breaks[at][0] ? t - breaks[at][0] : 0;
    return t - removed[at] - inside;
  }
  function stretch(u) {
    let low = 0, high = breaks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (breaks[middle][0] - removed[middle] < u) low = middle + 1; else high = middle;
    }
    return u + removed[low];
  }

  // ---- Data --------------------------------------------------------------------------------------------------------
  function unpack(line) {
    const u = new Float64Array(line.dt.length);
    const t = new Float64Array(line.dt.length);
    let now = line.t0;
    for (let i = 0; i < u.length; i++) { now += line.dt[i]; t[i] = now; u[i] = squeeze(now); }
    return { ...line, t, u };
  }
  const equity = unpack(data.equity);
  const lives = data.timeline.orders.map((life) => ({ ...life, u: life.at.map((dt) => squeeze(life.t + dt)),
    state: life.state.map((at) => data.timeline.states[at]), end: data.timeline.states[life.end] }));
  const extent = { from: Infinity, to: -Infinity };
  function cover(u) {
    if (!u.length) return;
    extent.from = Math.min(extent.from, u[0]);
    extent.to = Math.max(extent.to, u[u.length - 1]);
  }
  cover(equity.u);
  const prices = data.prices.map((line) => ({ ...unpack(line), fills: unpack(line.fills),
    over: line.over.map(unpack), below: line.below.map(unpack) }));
  prices.forEach((line) => cover(line.u));
  if (!(extent.to > extent.from)) { extent.from = (extent.from || 0) - 500; extent.to = extent.from + 1000; }
  const view = { from: extent.from, to: extent.to };

  function show(from, to) {
    const whole = extent.to - extent.from;
    const span = Math.min(whole, Math.max(to - from, 20));
    const middle = (from + to) / 2;
    view.from = Math.max(extent.from, Math.min(middle - span / 2, extent.to - span));
    view.to = view.from + span;
    redraw();
  }
  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; charts.forEach((chart) => chart.draw()); });
  }

  // ---- Axes --------------------------------------------------------------------------------------------------------
  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat([1, 2, 5, 10, 15, 30].map((s) => s * 1000),
    [1, 2, 5, 10, 15, 30].map((m) => m * MINUTE), [1, 2, 4].map((h) => h * HOUR));

  function stretches() { // visible runs of real time, oldest first
    const from = stretch(view.from), to = stretch(view.to), made = [];
    let start = from;
    for (let i = lower(breaks, from, (b) => b[1]); i < breaks.length && breaks[i][0] < to; i++) {
      if (breaks[i][0] > start) made.push([start, breaks[i][0]]);
      start = breaks[i][1];
    }
    if (to >= start) made.push([start, to]);
    return made;
  }
  function timeTicks(width) {
    const room = Math.max(2, Math.floor(width / 84)), span = view.to - view.from, runs = stretches();
    const step = STEPS.find((s) => span / s <= room);
    const ticks = [];
    if (step && runs.length <= room) {
      let day = "";
      for (const [from, to] of runs) {
        const shift = offset(from);
        if (dayLabel(from, false) !== day) ticks.push({ t: from, text: day = dayLabel(from, false), first: true });
        for (let t = Math.ceil((from + shift) / step) * step - shift; t <= to; t += step) {
          const label = dayLabel(t, false);
          ticks.push(label === day ? { t, text: clockLabel(t, step) } : { t, text: day = label, first: true });
        }
      }
    } else {
      const starts = [];
      let last = "";
      for (const [from, to] of runs) {
        const shift = offset(from);
        for (let t = from; t <= to; t = (Math.floor((t + shift) / DAY) + 1) * DAY - shift) {
          const label = dayLabel(t, true);
          if (label !== last) starts.push({ t, text: label.slice(0, -5), year: label.slice(-4), first: true });
          last = label;
        }
      }
      const every = Math.max(1, Math.ceil(starts.length / room));
      let year = "";
      starts.forEach((tick, i) => {
        if (i % every) return;
        if (tick.year !== year) tick.text += " " + tick.year;
        year = tick.year;
        ticks.push(tick);
      });
    }
    return ticks;
  }
  function valueTicks(low, high, height) {
    const rough = (high - low) / Math.max(2, height / 44), size = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((n) => n * size).find((s) => s >= rough);
    const ticks = [];
    for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step + 0); // + 0: never a minus zero
    return { ticks, places: Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / size === 2.5 ? 1 : 0)) };
  }

  // ---- A chart: panels over one another on one canvas, one time axis --------------------------------------------------
  const style = () => getComputedStyle(document.documentElement);

  class Chart {
    constructor(host, height, label) {
      this.host = host;
      this.height = height;
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", label);
      this.canvas.style.height = height + "px";
      host.append(this.canvas);
      this.pointer = null;
      this.drag = null;
      this.listen();
      charts.push(this);
    }
    x(u) { return LEFT + (u - view.from) / (view.to - view.from) * this.inner; }
    u(x) { return view.from + (x - LEFT) / this.inner * (view.to - view.from); }

    draw() {
      const width = this.host.clientWidth;
      if (!width) return;
      const scale = window.devicePixelRatio || 1, ctx = this.canvas.getContext("2d");
      if (this.canvas.width !== Math.round(width * scale)) this.canvas.width = Math.round(width * scale);
      if (this.canvas.height !== Math.round(this.height * scale)) this.canvas.height = Math.round(this.height * scale);
      this.width = width;
      this.inner = width - LEFT - RIGHT;
      this.css = style();
      ctx.setTransform(scale, 0, 0, scale, 0, 0);
      ctx.clearRect(0, 0, width, this.height);
      ctx.font = "11px system-ui, sans-serif";
      this.ctx = ctx;
      this.drawTimeAxis();
      this.drawInside();
      if (this.drag) {
        ctx.fillStyle = this.colour("--select");
        ctx.fillRect(Math.min(this.drag.from, this.drag.to), TOP, Math.abs(this.drag.to - this.drag.from), this.height - TOP - BOTTOM);
      }
    }
    colour(name) { return this.css.getPropertyValue(name).trim(); }

    drawTimeAxis() {
      const { ctx } = this, foot = this.height - BOTTOM;
      ctx.strokeStyle = this.colour("--faint");
      ctx.fillStyle = this.colour("--soft");
      ctx.lineWidth = 1;
      ctx.textAlign = "center";
      ctx.textBaseline = "top";
      const taken = [];
      const ticks = timeTicks(this.inner);
      for (const tick of [...ticks.filter((tick) => tick.first), ...ticks.filter((tick) => !tick.first)]) {
        const x = Math.round(this.x(squeeze(tick.t))) + .5;
        if (x < LEFT - 1 || x > this.width - RIGHT + 1) continue;
        const half = ctx.measureText(tick.text).width / 2, at = Math.max(LEFT - 20 + half, Math.min(x, this.width - half - 1));
        if (taken.some(([left, right]) => at - half < right + 8 && at + half > left - 8)) continue;
        taken.push([at - half, at + half]);
        this.line(x, TOP, x, foot);
        ctx.fillStyle = this.colour(tick.first ? "--ink" : "--soft");
        ctx.fillText(tick.text, at, foot + 6);
      }
      ctx.save();
      ctx.setLineDash([2, 3]);
      ctx.strokeStyle = this.colour("--rule");
      const first = lower(breaks, stretch(view.from), (b) => b[0]);
      for (let i = first; i < breaks.length && i < first + 200; i++) {
        const x = Math.round(this.x(squeeze(breaks[i][0]))) + .5;
        if (x > this.width - RIGHT) break;
        if (x >= LEFT) this.line(x, TOP, x, foot);
      }
      ctx.restore();
    }
    line(x1, y1, x2, y2) {
      this.ctx.beginPath();
      this.ctx.moveTo(x1, y1);
      this.ctx.lineTo(x2, y2);
      this.ctx.stroke();
    }

    listen() {
      const canvas = this.canvas;
      const at = (event) => {
        const box = canvas.getBoundingClientRect();
        return { x: event.clientX - box.left, y: event.clientY - box.top, pageX: event.clientX, pageY: event.clientY };
      };
      const clamp = (x) => Math.max(LEFT, Math.min(x, this.width - RIGHT));
      canvas.addEventListener("wheel", (event) => {
        const whole = view.to - view.from >= extent.to - extent.from;
        const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (whole && (sideways || event.deltaY > 0)) return; // nothing to show beyond: let the page scroll
        event.preventDefault();
        if (sideways) {
          const move = (event.deltaX || event.deltaY) / this.inner * (view.to - view.from);
          show(view.from + move, view.to + move);
        } else {
          const centre = this.u(clamp(at(event).x)), factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300)));
          const from = centre - (centre - view.from) * factor;
          show(from, from + (view.to - view.from) * factor);
        }
      }, { passive: false });
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        const x = clamp(at(event).x);
        this.drag = { from: x, to: x };
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        this.pointer = at(event);
        if (this.drag) this.drag.to = clamp(this.pointer.x);
        this.draw();
        this.hover();
      });
      const end = (event) => {
        const drag = this.drag;
        this.drag = null;
        if (drag && event.type === "pointerup" && Math.abs(drag.to - drag.from) > 4) {
          show(this.u(Math.min(drag.from, drag.to)), this.u(Math.max(drag.from, drag.to)));
        } else this.draw();
      };
      canvas.addEventListener("pointerup", end);
      canvas.addEventListener("pointercancel", end);
      canvas.addEventListener("pointerleave", () => { this.pointer = null; tip.hidden = true; if (this.css) this.draw(); });
      canvas.addEventListener("dblclick", () => show(extent.from, extent.to));
      canvas.addEventListener("keydown", (event) => {
        const span = view.to - view.from, step = { ArrowLeft: -.2, ArrowRight: .2 }[event.key];
        if (step) show(view.from + step * span, view.to + step * span);
        else if (event.key === "+" || event.key === "=") show(view.from + span * .2, view.to - span * .2);
        else if (event.key === "-") show(view.from - span * .35, view.to + span * .35);
        else if (event.key === "0" || event.key === "Home") show(extent.from, extent.to);
        else return;
        event.preventDefault();
      });
    }
    hover() {
      const text = this.pointer && this.describe(this.pointer);
      if (!text) { tip.hidden = true; return; }
      tip.textContent = text; // as text, never as markup: names are the user's
      tip.hidden = false;
      const box = tip.getBoundingClientRect();
      const left = this.pointer.pageX + 16 + box.width > innerWidth ? this.pointer.pageX - box.width - 16 : this.pointer.pageX + 16;
      tip.style.left = Math.max(4, left) + "px";
      tip.style.top = Math.max(4, Math.min(this.pointer.pageY + 12, innerHeight - box.height - 4)) + "px";
    }
  }

  // ---- Lines, with trades marked --------------------------------------------------------------------------------------
  class LineChart extends Chart {
    // panels: [{height, lines: [{name, u, v, colour, area?, soft?}], marks?, zero?}]
    constructor(host, label, panels) {
      super(host, panels.reduce((sum, panel) => sum + panel.height, TOP + BOTTOM), label);
      this.panels = panels;
      const named = panels.flatMap((panel) => panel.lines).filter((line) => line.name);
      if (named.length > 1) this.addLegend(named);
    }
    addLegend(lines) {
      const legend = document.createElement("div");
      legend.className = "legend";
      for (const line of lines) {
        const button = document.createElement("button"), dash = document.createElement("i");
        button.type = "button";
        dash.style.background = `var(${line.colour})`;
        button.append(dash, line.name);
        button.setAttribute("aria-pressed", "true");
        button.addEventListener("click", () => {
          line.hidden = !line.hidden;
          button.setAttribute("aria-pressed", String(!line.hidden));
          this.draw();
        });
        legend.append(button);
      }
      this.host.prepend(legend);
    }
    drawInside() {
      let top = TOP;
      for (const panel of this.panels) {
        this.drawPanel(panel, top, panel.height - 6);
        top += panel.height;
      }
      if (this.pointer && !this.drag && this.pointer.x >= LEFT && this.pointer.x <= this.width - RIGHT) {
        this.ctx.strokeStyle = this.colour("--soft");
        this.ctx.lineWidth = .6;
        this.line(this.pointer.x, TOP, this.pointer.x, this.height - BOTTOM);
      }
    }
    range(panel) {
      let low = Infinity, high = -Infinity;
      const see = (value) => { if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); } };
      for (const line of panel.lines) {
        if (line.hidden) continue;
        const end = lower(line.u, view.to, Number) + 1;
        for (let i = Math.max(0, lower(line.u, view.from, Number) - 1); i < end && i < line.u.length; i++) see(line.v[i]);
      }
      if (panel.marks) {
        const end = lower(panel.marks.u, view.to, Number);
        for (let i = lower(panel.marks.u, view.from, Number); i < end; i++) see(panel.marks.price[i]);
      }
      if (panel.zero) see(0);
      if (!(high >= low)) return null;
      const room = (high - low) * .06 || Math.abs(high) * .001 || 1;
      return [low - room, panel.zero && high <= 0 ? 0 : high + room];
    }
    drawPanel(panel, top, height) {
      const { ctx } = this, range = this.range(panel);
      if (!range) return;
      const [low, high] = range;
      panel.y = (value) => top + (high - value) / (high - low) * height;
      const { ticks, places } = valueTicks(low, high, height);
      ctx.strokeStyle = this.colour("--faint");
      ctx.fillStyle = this.colour("--soft");
      ctx.lineWidth = 1;
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      for (const value of ticks) {
        const y = Math.round(panel.y(value)) + .5;
        this.line(LEFT, y, this.width - RIGHT, y);
        const text = value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
        ctx.fillText(text.replace("-", "−"), LEFT - 6, y);
      }
      ctx.save();
      ctx.beginPath();
      ctx.rect(LEFT, top - 4, this.inner, height + 8);
      ctx.clip();
      for (const line of panel.lines) if (!line.hidden) this.drawLine(panel, line);
      if (panel.marks) this.drawMarks(panel);
      ctx.restore();
    }
    drawLine(panel, line) {
      const { ctx } = this, { u, v } = line;
      const from = Math.max(0, lower(u, view.from, Number) - 1), to = Math.min(u.length, lower(u, view.to, Number) + 1);
      const trace = (i, open) => open ? ctx.lineTo(this.x(u[i]), panel.y(v[i])) : ctx.moveTo(this.x(u[i]), panel.y(v[i]));
      if (line.area && to > from) {
        ctx.beginPath();
        ctx.moveTo(this.x(u[from]), panel.y(line.base()));
        for (let i = from; i < to; i++) trace(i, true);
        ctx.lineTo(this.x(u[to - 1]), panel.y(line.base()));
        ctx.fillStyle = this.colour(line.area);
        ctx.fill();
      }
      ctx.beginPath();
      let open = false;
      for (let i = from; i < to; i++) {
        if (v[i] === null) { open = false; continue; }
        trace(i, open);
        open = true;
      }
      ctx.strokeStyle = this.colour(line.colour);
      ctx.lineWidth = line.soft ? 1.1 : 1.5;
      ctx.lineJoin = "round";
      ctx.stroke();
      if (to - from === 1 && v[from] !== null) { ctx.fillStyle = ctx.strokeStyle; ctx.fillRect(this.x(u[from]) - 2, panel.y(v[from]) - 2, 4, 4); }
    }
    drawMarks(panel) {
      const { ctx } = this, marks = panel.marks, end = lower(marks.u, view.to + 1e-6, Number);
      const first = lower(marks.u, view.from, Number), many = end - first > 600;
      const size = end - first > 2000 ? 1.8 : many ? 2.6 : end - first > 200 ? 4 : 5.5;
      ctx.globalAlpha = many ? .6 : 1; // so that the price can still be seen below
      ctx.lineWidth = .8;
      ctx.strokeStyle = this.colour("--card");
      for (const bought of [true, false]) {
        ctx.fillStyle = this.colour(bought ? "--good" : "--bad");
        for (let i = first; i < end; i++) {
          if (marks.size[i] > 0 !== bought) continue;
          const x = this.x(marks.u[i]), y = panel.y(marks.price[i]), way = bought ? 1 : -1;
          ctx.beginPath(); // the tip is at the price, a buy's from below and a sell's from above
          ctx.moveTo(x, y);
          ctx.lineTo(x - size, y + way * size * 1.7);
          ctx.lineTo(x + size, y + way * size * 1.7);
          ctx.closePath();
          ctx.fill();
          if (!many) ctx.stroke();
        }
      }
      ctx.globalAlpha = 1;
    }
    nearestMark(pointer) {
      let best = null, least = 12;
      for (const { marks, y } of this.panels) {
        if (!marks || !y) continue;
        const reach = 14 / this.inner * (view.to - view.from), at = this.u(pointer.x);
        const end = lower(marks.u, at + reach, Number);
        for (let i = lower(marks.u, at - reach, Number); i < end; i++) {
          const middle = y(marks.price[i]) + (marks.size[i] > 0 ? 5 : -5);
          const far = Math.hypot(this.x(marks.u[i]) - pointer.x, middle - pointer.y);
          if (far < least) { least = far; best = [marks, i]; }
        }
      }
      return best;
    }
    describe(pointer) {
      if (pointer.x < LEFT || pointer.x > this.width - RIGHT) return "";
      const hit = this.nearestMark(pointer);
      if (hit) {
        const [marks, i] = hit, size = marks.size[i], realised = marks.realised[i];
        return `${size > 0 ? "Bought" : "Sold"} ${detail(Math.abs(size))} at ${detail(marks.price[i])}\n${when(marks.t[i])}\n` +
          `${data.names[marks.who[i]]}, order ${marks.coid[i]}${realised ? `\nrealised ${figure(realised)} ${data.currency}` : ""}`;
      }
      const at = this.u(pointer.x), rows = [];
      let moment = null;
      for (const line of this.panels.flatMap((panel) => panel.lines)) {
        if (line.hidden || !line.u.length) continue;
        let i = Math.min(lower(line.u, at, Number), line.u.length - 1);
        if (i && at - line.u[i - 1] < line.u[i] - at) i--;
        if (line.v[i] === null) continue;
        moment ??= line.t[i];
        rows.push(`${line.name || "value"}: ${detail(line.v[i])}`);
      }
      return rows.length ? `${when(moment)}\n${rows.join("\n")}` : "";
    }
  }

  // ---- Orders over time -----------------------------------------------------------------------------------------------
  const PHASE = { created: "--c7", sent: "--c7", pending_submit: "--c7", working: "--c0", pending_modify: "--c1",
    pending_cancel: "--c1", in_doubt: "--c4", lost: "--c4" };
  const END = { filled: "--good", cancelled: "--price", refused: "--bad", lost: "--c4", in_doubt: "--c4" };

  class Timeline extends Chart {
    constructor(host, label) {
      super(host, 300, label);
      const legend = document.createElement("div");
      legend.className = "legend soft small";
      for (const [name, colour] of [["on its way", "--c7"], ["working", "--c0"], ["change asked", "--c1"],
        ["ended filled", "--good"], ["cancelled", "--price"], ["refused", "--bad"], ["in doubt or lost", "--c4"]]) {
        const item = document.createElement("span"), dash = document.createElement("i");
        dash.style.background = `var(${colour})`;
        item.append(dash, name);
        legend.append(item);
      }
      host.prepend(legend);
      this.note = document.createElement("p");
      this.note.className = "soft small";
      host.append(this.note);
    }
    pack() { // each order in the first lane that is free where it starts, in pixels of this view
      const most = Math.floor((this.height - TOP - BOTTOM) / 4), ends = [];
      this.boxes = [];
      this.unseen = 0;
      for (const life of lives) {
        const last = life.u[life.u.length - 1];
        if (last < view.from || life.u[0] > view.to) continue;
        const x1 = Math.max(LEFT, this.x(life.u[0])), x2 = Math.max(Math.min(this.x(last), this.width - RIGHT), x1 + 3);
        let lane = ends.findIndex((end) => end < x1);
        if (lane < 0) {
          if (ends.length >= most) { this.unseen++; continue; }
          lane = ends.push(0) - 1;
        }
        ends[lane] = x2 + 2;
        this.boxes.push({ life, lane, x1, x2 });
      }
      this.step = Math.min(18, (this.height - TOP - BOTTOM) / Math.max(1, ends.length));
    }
    drawInside() {
      this.pack();
      const { ctx } = this, thick = Math.max(2, Math.min(10, this.step - 2));
      for (const { life, lane, x1, x2 } of this.boxes) {
        const y = TOP + lane * this.step;
        for (let i = 0; i + 1 < life.u.length; i++) {
          const from = Math.max(LEFT, this.x(life.u[i])), to = Math.min(this.x(life.u[i + 1]), x2);
          if (to <= from) continue;
          ctx.fillStyle = this.colour(PHASE[life.state[i]] || "--c7");
          ctx.fillRect(from, y, to - from, thick);
        }
        ctx.fillStyle = this.colour(END[life.end] || "--c0");
        const x = Math.max(x1, x2 - 3);
        ctx.fillRect(x, y, 3, thick);
      }
      const text = this.unseen ? `${figure(this.unseen)} orders have no room at this zoom: zoom in to see them.` : "";
      if (this.note.textContent !== text) this.note.textContent = text;
    }
    describe(pointer) {
      let best = null, least = 5;
      for (const box of this.boxes || []) {
        const y = TOP + box.lane * this.step;
        if (pointer.y < y - 1 || pointer.y > y + this.step) continue;
        const far = Math.max(box.x1 - pointer.x, pointer.x - box.x2, 0);
        if (far < least) { least = far; best = box.life; }
      }
      if (!best) return "";
      const steps = best.at.map((dt, i) => `${when(best.t + dt)}  ${best.state[i].replace("_", " ")}${best.said[i] ? ": " + best.said[i] : ""}`);
      const shown = steps.length > 12 ? [...steps.slice(0, 6), `… ${best.steps - 12} more`, ...steps.slice(-6)] : steps;
      return `${best.what}\n${data.names[best.who] ?? ""} ${best.coid}\n${shown.join("\n")}${best.why ? "\n" + best.why : ""}`;
    }
  }

  // ---- The page's charts ----------------------------------------------------------------------------------------------
  const tinted = (lines, first = 0) => lines.map((line, i) => ({ ...line, colour: `--c${(i + first) % COLOURS}` }));
  const least = (values) => values.reduce((a, b) => b === null ? a : Math.min(a, b), Infinity);
  const build = {
    equity: () => {
      const floor = least(equity.v);
      return [{ height: 240, lines: [{ ...equity, name: "equity", colour: "--c0", area: "--area", base: () => floor }] }];
    },
    drawdown: () => [{ height: 120, zero: true,
      lines: [{ ...unpack(data.drawdown), name: "drawdown, %", colour: "--bad", area: "--fall", base: () => 0 }] }],
    strategies: () => [{ height: 180, zero: true, lines: tinted(data.strategies.map(unpack)) }],
    loose: () => data.loose.map((line, i) => ({ height: 110, lines: tinted([unpack(line)], i) })),
  };
  function priceChart(line) {
    const main = { ...line, name: line.symbol, colour: "--price", soft: true };
    return [{ height: 280, lines: [main, ...tinted(line.over)], marks: line.fills },
      ...line.below.map((below, i) => ({ height: 90, lines: tinted([below], i + line.over.length) }))];
  }
  for (const host of document.querySelectorAll("[data-chart]")) {
    const name = host.dataset.chart, label = host.getAttribute("aria-label");
    if (name === "timeline") new Timeline(host, label);
    else if (name.startsWith("price-")) {
      const line = prices[+name.slice(6)];
      new LineChart(host, label, priceChart(line));
      if (line.fills.u.length < line.fills.of) {
        const note = document.createElement("p");
        note.className = "soft small";
        note.textContent = `${figure(line.fills.u.length)} of ${figure(line.fills.of)} fills marked.`;
        host.append(note);
      }
    } else new LineChart(host, label, build[name]());
  }
  document.getElementById("zoom-out")?.addEventListener("click", () => show(extent.from, extent.to));
  new ResizeObserver(redraw).observe(document.querySelector("main"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  const paper = (on) => { document.documentElement.classList.toggle("paper", on); charts.forEach((chart) => chart.draw()); };
  addEventListener("beforeprint", () => paper(true));
  addEventListener("afterprint", () => paper(false));
  document.querySelectorAll("details").forEach((fold) => fold.addEventListener("toggle", redraw));
  charts.forEach((chart) => chart.draw());
})();
