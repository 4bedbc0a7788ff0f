/* Mouse, keyboard and the viewer's own buttons. Everything here stays in the browser, except a click in seed mode. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});
  const CLICK_SLACK_PX = 4, WHEEL_STEP = 40, CINE_MS = 300;

  class Controls {
    constructor(viewer, canvas) {
      this.viewer = viewer;
      this.canvas = canvas;
      this.root = viewer.element.querySelector(".sh-viewer");
      this.wheel = 0;
      this.timer = null;
      this.root.addEventListener("click", (event) => this.onButton(event));
      this.root.addEventListener("input", (event) => this.onControl(event));
      this.listenToMouse();
      canvas.addEventListener("keydown", (event) => this.onKey(event), true);
      canvas.addEventListener("keyup", (event) => event.stopImmediatePropagation(), true);
    }

    control(name) { return this.root.querySelector(`[data-control="${name}"]`); }
    button(name) { return this.root.querySelector(`[data-action="${name}"]`); }
    write(name, text) { this.root.querySelector(`[data-text="${name}"]`).textContent = text; }

    /* --- mouse --- */

    listenToMouse() {
      const canvas = this.canvas;
      canvas.addEventListener("wheel", (event) => this.onWheel(event), { capture: true, passive: false });
      canvas.addEventListener("dblclick", (event) => {
        event.stopImmediatePropagation();
        if (this.viewer.mode === "browse") this.viewer.resetWindow();
      }, true);
      canvas.addEventListener("pointerdown", (event) => {
        this.pressed = { x: event.clientX, y: event.clientY, button: event.button, window: null };
        if (event.button === 2 && this.viewer.volume) {
          this.pressed.window = [this.viewer.volume.cal_min, this.viewer.volume.cal_max];
        }
      });
      window.addEventListener("pointermove", (event) => this.onDrag(event));
      window.addEventListener("pointerup", (event) => this.onRelease(event));
    }

    onWheel(event) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (!this.viewer.volume) return;
      this.wheel += event.deltaMode === 0 ? event.deltaY : Math.sign(event.deltaY) * WHEEL_STEP;
      const steps = Math.trunc(this.wheel / WHEEL_STEP);
      if (!steps) return;
      this.wheel -= steps * WHEEL_STEP;
      const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
      for (let n = 0; n < Math.abs(steps); n++) this.viewer.nv.sliceScroll2D(Math.sign(steps) * 0.01, x, y);
    }

    onDrag(event) {
      if (!this.pressed || !this.pressed.window) return;
      const [low, high] = this.pressed.window, width = high - low;
      const dx = (event.clientX - this.pressed.x) / 250, dy = (event.clientY - this.pressed.y) / 250;
      const wide = Math.max(width * 0.02, width * (1 + dx)), level = (low + high) / 2 + width * dy;
      this.control("window").value = "custom";
      this.viewer.setWindow(level - wide / 2, level + wide / 2);
    }

    onRelease(event) {
      const pressed = this.pressed;
      this.pressed = null;
      if (!pressed || pressed.button !== 0 || event.button !== 0 || this.viewer.mode === "browse") return;
      const moved = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y);
      const frac = moved <= CLICK_SLACK_PX && event.target === this.canvas ? this.placeUnder(event) : null;
      if (frac) this.pick(frac);
    }

    /* Place in the volume under the pointer, at the centre of its voxel; null beside the slices. */
    placeUnder(event) {
      const { nv } = this.viewer, box = this.canvas.getBoundingClientRect(), dpr = nv.uiData.dpr || 1;
      const frac = nv.canvasPos2frac([(event.clientX - box.left) * dpr, (event.clientY - box.top) * dpr]);
      return frac[0] < 0 ? null : nv.vox2frac(nv.frac2vox(frac));
    }

    pick(frac) {
      const { viewer } = this;
      viewer.nv.scene.crosshairPos = frac;
      viewer.nv.drawScene();
      if (viewer.mode === "reference") this.placeReference();
      else viewer.pickAt(viewer.crosshairMm(), viewer.background);
    }

    placeReference() {
      const radius_mm = Math.min(20, Math.max(1, Number(this.control("radius").value) || 4));
      this.viewer.trigger("reference", { mm: this.viewer.crosshairMm(), tissue: this.control("tissue").value, radius_mm });
    }

    /* --- keyboard --- */

    onKey(event) {
      const { viewer } = this, axis = { sagittal: 0, coronal: 1, axial: 2 }[viewer.info?.acquired];
      const move = (sign) => {
        const step = [0, 0, 0]; step[axis] = sign;
        viewer.nv.moveCrosshairInVox(...step);
      };
      const actions = {
        ArrowUp: () => move(1), ArrowDown: () => move(-1), PageUp: () => move(1), PageDown: () => move(-1),
        ArrowRight: () => viewer.setFrame(viewer.frame + 1), ArrowLeft: () => viewer.setFrame(viewer.frame - 1),
        " ": () => this.toggleCine(), s: () => this.setMode("seed"), b: () => this.setMode("browse"),
        m: () => this.setMode("reference"),
        r: () => viewer.resetWindow(), d: () => this.press("subtract"), f: () => this.press("fill"),
        p: () => this.press("beside"),
        w: () => this.press("why"),
        Enter: () => {
          if (viewer.mode !== "browse") this.pick(viewer.nv.scene.crosshairPos);
        },
        Escape: () => this.setMode("browse"),
      };
      event.stopImmediatePropagation();
      const action = event.ctrlKey || event.metaKey || event.altKey ? null : actions[event.key];
      if (!action || !viewer.volume) return;
      event.preventDefault();
      action();
    }

    /* --- buttons, lists and sliders of the toolbar --- */

    onButton(event) {
      const name = event.target.closest("[data-action]")?.dataset.action;
      if (name === "help") { const keys = this.root.querySelector(".sh-keys"); keys.hidden = !keys.hidden; return; }
      if (name && this.viewer.volume) this.press(name);
    }

    press(name) {
      const { viewer } = this;
      if (["browse", "seed", "reference"].includes(name)) this.setMode(name);
      if (name === "reset") { this.control("window").value = "auto"; viewer.resetWindow(); }
      if (name === "subtract") viewer.setSubtraction(!viewer.subtracting);
      if (name === "beside") viewer.setBeside(!viewer.beside);
      if (name === "fill") viewer.setFill(!viewer.fill);
      if (name === "render") viewer.setRendering(!viewer.rendering);
      if (name === "play") this.toggleCine();
      if (name === "why") viewer.trigger("why", { mm: viewer.crosshairMm() });
      this.showPressed();
    }

    setMode(mode) {
      this.viewer.mode = mode;
      this.root.dataset.mode = mode;
      this.showPressed();
    }

    onControl(event) {
      const name = event.target.dataset.control, value = event.target.value, { viewer } = this;
      if (!viewer.volume) return;
      if (name === "frame") { this.stopCine(); viewer.setFrame(Number(value)); }
      if (name === "window") this.applyPreset(value);
      if (name === "overlay") {
        this.showOverlay(value);
      }
      if (name === "opacity") viewer.overlays.setOpacity(Number(value));
    }

    applyPreset(name) {
      const { viewer } = this, [low, high] = viewer.subtracting ? viewer.info.subtraction_window : viewer.info.window;
      const span = high - low;
      const presets = {
        auto: [low, high], narrow: [low + 0.25 * span, low + 0.75 * span], bright: [low + 0.4 * span, high],
        dark: [low, low + 0.5 * span], wide: [low - 0.25 * span, high + 0.5 * span],
      };
      if (presets[name]) viewer.setWindow(...presets[name]);
    }

    toggleCine() {
      if (this.timer) { this.stopCine(); return; }
      if (this.viewer.frameCount < 2) return;
      this.timer = setInterval(() => {
        if (!this.root.isConnected) this.stopCine();
        else if (!document.hidden) this.viewer.setFrame(this.viewer.frame + 1);
      }, CINE_MS);
      this.showPressed();
    }

    stopCine() {
      clearInterval(this.timer);
      this.timer = null;
      this.showPressed();
    }

    /* --- what the page says --- */

    refresh() {
      const frames = this.viewer.frameCount > 1;
      this.root.querySelector(".sh-frames").hidden = !frames;
      this.button("subtract").hidden = !frames;
      this.button("beside").hidden = !frames;
      this.control("frame").max = String(this.viewer.frameCount - 1);
      this.viewer.message("");
      this.showFrame(); this.showWindow(); this.showPressed(); this.readout();
    }

    /* A new case is seen as it comes: its own window, no overlay. */
    forgetCase() {
      this.control("window").value = "auto";
      this.offerOverlays();
    }

    /* Other overlays are on offer; one that was chosen stays chosen, and comes back with the next answer. */
    offerOverlays() {
      const { overlays } = this.viewer, offered = overlays.offered();
      const options = [["", "none"], ...offered.map((map) => [map.name, map.label])].map(([value, text]) => {
        const option = document.createElement("option");
        option.value = value; option.textContent = text;
        return option;
      });
      this.control("overlay").replaceChildren(...options);
      if (overlays.shown) this.control("overlay").value = overlays.shown.name;
      else if (overlays.wanted) this.showOverlay(overlays.wanted);
      this.showColourBar();
    }

    showOverlay(name) {
      const shown = this.viewer.overlays.show(name, Number(this.control("opacity").value));
      this.control("overlay").value = shown ? shown.name : "";
      this.showColourBar();
      this.readout();
    }

    showPressed() {
      const { viewer } = this;
      const pressed = {
        browse: viewer.mode === "browse", seed: viewer.mode === "seed", reference: viewer.mode === "reference", subtract: viewer.subtracting,
        fill: viewer.fill, beside: viewer.beside, render: viewer.rendering, play: this.timer !== null,
      };
      for (const [name, on] of Object.entries(pressed)) this.button(name).setAttribute("aria-pressed", String(on));
      this.button("play").textContent = this.timer ? "❚❚" : "▶";
    }

    showFrame() {
      const { viewer } = this, times = viewer.info.times_s, start = viewer.info.arrival_s;
      this.control("frame").value = String(viewer.frame);
      let when = "";
      if (times && start !== null) {
        const seconds = Math.round(times[viewer.frame] - start);
        when = seconds < 0 ? ` · ${-seconds} s before arrival` : ` · ${seconds} s after arrival`;
      } else if (times) when = ` · ${Math.round(times[viewer.frame])} s`;
      this.write("frame", `frame ${viewer.frame + 1}/${viewer.frameCount}${when}`);
    }

    showWindow() {
      const { cal_min: low, cal_max: high } = this.viewer.volume, show = (x) => Number(x.toPrecision(3));
      this.write("window", `W ${show(high - low)} L ${show((low + high) / 2)}`);
    }

    showColourBar() {
      const bar = this.root.querySelector(".sh-colourbar");
      const map = this.viewer.overlays.shown;
      bar.hidden = !map;
      const ask = this.root.querySelector(".sh-what-map"), label = map ? `What is this: ${map.label}?` : "";
      ask.hidden = !map;
      ask.dataset.define = map ? map.name.replace(/^(class_map|occlusion).*/, "$1") : "";
      ask.title = label; ask.setAttribute("aria-label", label);
      this.root.querySelector(".sh-opacity").hidden = !map;
      if (!map) return;
      const unit = map.unit ? ` ${map.unit}` : "";
      const lut = this.viewer.nv.colormap(map.colormap), ctx = bar.querySelector("canvas").getContext("2d");
      const strip = ctx.createImageData(256, 1);
      strip.data.set(lut.slice(0, 1024));
      for (let n = 3; n < 1024; n += 4) strip.data[n] = 255;
      ctx.putImageData(strip, 0, 0);
      this.write("map", map.label);
      const [low, high] = map.ends || [map.low, map.high].map((end) => `${Number(end.toPrecision(3))}${unit}`);
      this.write("map-low", low);
      this.write("map-high", high);
    }

    readout() {
      const { viewer } = this;
      if (!viewer.info || !viewer.volume) return;
      const mm = viewer.crosshairMm(), index = viewer.crosshairIndex();
      const vox = viewer.volume.mm2vox([...mm, 1]);
      const signal = viewer.volume.getValue(vox[0], vox[1], vox[2], viewer.frame);
      const place = mm.map((x) => (Math.round(10 * x) / 10 || 0).toFixed(1)).join(", ");
      let text = `voxel ${index.join(", ")} · ${place} mm · `;
      text += `${viewer.subtracting ? "difference" : "signal"} ${Number(signal.toPrecision(4))}`;
      const map = viewer.overlays.shown;
      if (map) {
        const value = viewer.overlays.value(index), unit = map.unit ? ` ${map.unit}` : "";
        text += ` · ${map.label} ${value === null ? "not defined" : Number(value.toPrecision(3)) + unit}`;
      }
      this.write("readout", text);
      NS.drawCrosshairCurve(viewer);
      NS.followInBoxes(viewer);
    }

    showTolerance(tolerance, volume_ml, grown) {
      document.dispatchEvent(new CustomEvent("spinehub:tolerance", { detail: { tolerance, volume_ml, grown } }));
    }
  }
  NS.Controls = Controls;
})();
