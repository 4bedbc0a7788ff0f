/* The viewer: one NiiVue scene, what lies on it, and its state. The server is asked for nothing while slices, frames,
   maps, windows or the tolerance change: everything it needs arrives with the case.

   Mask rule, here and on the server: a voxel is inside where -arrival >= -tolerance, both in float32. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});
  const SLICE_TYPE = { axial: 0, coronal: 1, sagittal: 2 };
  const BESIDE = { sagittal: ["axial", "coronal"], axial: ["sagittal", "coronal"], coronal: ["axial", "sagittal"] };
  const MAIN_SHARE = 0.615, GAP = 0.008;
  const OPTIONS = {
    dragAndDropEnabled: false, logLevel: "error", isRadiologicalConvention: true, sagittalNoseLeft: true,
    isForceMouseClickToVoxelCenters: true, isOrientationTextVisible: false, crosshairWidth: 0, dragMode: 0,
    backColor: [0, 0, 0, 1], show3Dcrosshair: false, isAntiAlias: false, loadingText: "",
  };

  class Viewer {
    constructor(element, trigger) {
      this.element = element;
      this.trigger = trigger;
      this.layer = element.querySelector(".sh-layer");
      this.info = null;
      this.order = null;
      this.inverted = null;
      this.tolerance = 0;
      this.seeds = [];
      this.mode = "browse";
      this.background = false;
      this.fill = false;
      this.rendering = false;
      this.beside = false;
      this.subtracting = false;
      this.shown = { image: null, arrival: null, revision: null };
      this.queue = Promise.resolve();
    }

    async start() {
      const canvas = this.element.querySelector(".sh-gl");
      this.nv = new window.niivue.Niivue(OPTIONS);
      await this.nv.attachToCanvas(canvas);
      this.overlays = new NS.Overlays(this);
      this.overlays.start();
      const draw = this.nv.drawScene.bind(this.nv);
      this.nv.drawScene = () => { const text = draw(); NS.paint(this); return text; };
      this.nv.onLocationChange = () => this.controls.readout();
      this.controls = new NS.Controls(this, canvas);
    }

    /* Follow the server: called with every new value; the newest one wins, one at a time. */
    follow(value) {
      this.queue = this.queue.then(() => this.sync(value)).catch((error) => {
        this.message(`This view could not be drawn: ${error.message}`);
      });
      return this.queue;
    }

    async sync(value) {
      if (!value || !value.image) return;
      const url = (file) => (file ? file.url : null);
      if (url(value.image) !== this.shown.image) {
        this.message("Loading the images …");
        this.info = value.info;
        await this.loadImage(value.image.url);
        this.message("");
      }
      this.info = value.info;
      const urls = { maps: url(value.maps), layers: url(value.layers) };
      if (await this.overlays.follow(urls)) this.controls.offerOverlays();
      if (url(value.arrival) !== this.shown.arrival) await this.loadArrival(url(value.arrival));
      this.placeSeeds(this.info.seeds);
      if (this.info.revision !== this.shown.revision) {
        /* A new region: take its tolerance. Later answers about the same region leave a moved slider alone. */
        this.shown.revision = this.info.revision;
        if (this.info.focus) this.goTo(this.info.focus);
        this.setTolerance(this.info.tolerance);
      }
      this.controls.refresh();
    }

    async loadImage(url) {
      this.controls.stopCine();
      this.original = null; this.difference = null; this.subtracting = false;
      this.inverted = null; this.seeds = [];
      this.nv.closeDrawing();
      const [low, high] = this.info.window;
      await this.nv.loadVolumes([{ url, name: "image.nii.gz", colormap: "gray", cal_min: low, cal_max: high }]);
      this.shown = { image: url, arrival: null, revision: null };
      this.overlays.clear();
      this.controls.forgetCase();
      this.order = NS.rasOrder(this.volume);
      this.nv.setDrawColormap({ R: [0, 242], G: [0, 169], B: [0, 59], A: [0, 255], I: [0, 1], labels: ["", "mask"] });
      this.nv.createEmptyDrawing();
      this.nv.setDrawOpacity(0);
      this.rendering = false;
      this.beside = false;
      this.arrange();
      this.nv.scene.crosshairPos = this.nv.vox2frac(this.order.size.map((n) => Math.floor(n / 2)));
      const middle = Math.min(this.info.first_frame, this.frameCount - 1);
      if (middle > 0) this.nv.setFrame4D(this.volume.id, middle);
      this.nv.drawScene();
    }

    async loadArrival(url) {
      this.inverted = url ? NS.toRas(await NS.fetchFloat32(url), this.order) : null;
      this.shown.arrival = url;
    }

    get volume() { return this.nv.volumes[0]; }
    get frameCount() { return this.volume ? this.volume.nFrame4D : 0; }
    get frame() { return this.volume ? this.volume.frame4D : 0; }

    /* --- where things are --- */

    layout() {
      if (this.beside) return { [this.info.acquired]: [0, 0, (1 - GAP) / 2, 1] };
      const main = this.info.acquired, rest = 1 - MAIN_SHARE - GAP, half = (1 - GAP) / 2;
      const [upper, lower] = BESIDE[main];
      return {
        [main]: [0, 0, MAIN_SHARE, 1],
        [upper]: [MAIN_SHARE + GAP, 0, rest, half],
        [lower]: [MAIN_SHARE + GAP, half + GAP, rest, half],
      };
    }

    arrange() {
      this.nv.setSliceType(this.rendering ? 4 : 3);
      if (this.rendering) { this.nv.clearCustomLayout(); return; }
      this.nv.setCustomLayout(Object.entries(this.layout()).map(
        ([plane, position]) => ({ sliceType: SLICE_TYPE[plane], position })));
    }

    panelOf(plane) {
      const [left, top, width, height] = this.layout()[NS.PLANES[plane]], { width: w, height: h } = this.nv.gl.canvas;
      return { left: left * w, top: top * h, width: width * w, height: height * h };
    }

    crosshairMm() { return Array.from(this.nv.frac2mm(this.nv.scene.crosshairPos, 0, true)).slice(0, 3); }
    crosshairIndex() { return NS.indexOf(this.info.inverse, this.crosshairMm()); }

    goTo(mm) {
      const vox = this.nv.frac2vox(this.nv.mm2frac([...mm, 1], 0, true));
      this.nv.scene.crosshairPos = this.nv.vox2frac(vox);
      this.nv.drawScene();
      this.controls.readout();
    }

    /* Ask the server for a seed at a place in mm. */
    pickAt(mm, background) {
      const waiting = this.info.mask_source === "unet" ? "The U-Net reads the slices …" : "Growing the region …";
      this.goTo(mm);
      this.trigger("pick", { mm, background });
      this.message(waiting);
      setTimeout(() => { if (this.messageText === waiting) this.message(""); }, 15000);
    }

    /* Ask what a network looks at; its map is shown when it comes. */
    occlude(route) {
      this.overlays.wanted = `occlusion_${route}`;
      if (this.overlays.offered().some((map) => map.name === this.overlays.wanted)) {
        this.controls.showOverlay(this.overlays.wanted);
      } else this.trigger("occlude", { route });
    }

    placeSeeds(seeds) {
      this.seeds = seeds.map((seed) => ({
        background: seed.background, vox: Array.from(this.nv.frac2vox(this.nv.mm2frac([...seed.mm, 1], 0, true))),
      }));
    }

    /* --- mask --- */

    setTolerance(tolerance) {
      this.tolerance = Math.fround(tolerance);
      const bitmap = this.nv.drawBitmap, threshold = -this.tolerance;
      let count = 0;
      if (bitmap) {
        for (let n = 0; n < bitmap.length; n++) {
          const inside = this.inverted !== null && this.inverted[n] >= threshold ? 1 : 0;
          bitmap[n] = inside; count += inside;
        }
        this.nv.refreshDrawing(true, false);
      }
      this.count = count;
      this.controls.showTolerance(this.tolerance, count * this.info.voxel_ml, this.inverted !== null);
    }

    /* The same for a slider that moves: at most once per picture. */
    requestTolerance(tolerance) {
      if (this.tolerancePending === undefined) {
        requestAnimationFrame(() => {
          const newest = this.tolerancePending;
          this.tolerancePending = undefined;
          this.setTolerance(newest);
        });
      }
      this.tolerancePending = tolerance;
    }

    showsOutline() { return this.inverted !== null && !this.fill; }

    setFill(fill) {
      this.fill = fill;
      this.nv.setDrawOpacity(fill ? 0.45 : 0);
      this.nv.drawScene();
    }

    /* File-order indices i + I (j + J k) of the voxels on screen as mask: what the drawing texture holds. */
    maskVoxels() {
      const inside = [];
      if (this.nv.drawBitmap) {
        NS.eachVoxel(this.order, (file, ras) => { if (this.nv.drawBitmap[ras]) inside.push(file); });
      }
      return inside.sort((a, b) => a - b);
    }

    /* --- images --- */

    setFrame(frame) {
      const count = this.frameCount;
      if (count < 2) return;
      this.nv.setFrame4D(this.volume.id, (frame + count) % count);
      this.controls.showFrame();
    }

    setWindow(low, high) {
      if (!(high > low)) return;
      this.volume.cal_min = low; this.volume.cal_max = high;
      this.controls.showWindow();
      if (this.windowPending) return;
      this.windowPending = true;
      requestAnimationFrame(() => { this.windowPending = false; this.nv.updateGLVolume(); });
    }

    resetWindow() { this.setWindow(...(this.subtracting ? this.info.subtraction_window : this.info.window)); }

    setSubtraction(on) {
      const volume = this.volume;
      if (on === this.subtracting || this.frameCount < 2) return;
      if (!this.original) {
        this.original = { voxels: volume.img, offset: volume.hdr.scl_inter };
        this.difference = NS.subtracted(volume.img, volume.nVox3D, this.info.baseline_frames);
      }
      volume.img = on ? this.difference : this.original.voxels;
      volume.hdr.scl_inter = on ? 0 : this.original.offset;
      this.subtracting = on;
      this.resetWindow();
      this.controls.readout();
    }

    setRendering(on) { this.rendering = on; this.beside = false; this.arrange(); }

    setBeside(on) {
      if (this.frameCount < 2) return;
      this.beside = on; this.rendering = false;
      this.arrange();
      this.nv.drawScene();
    }

    get messageText() { return this.element.querySelector(".sh-message").textContent; }
    message(text) { this.element.querySelector(".sh-message").textContent = text; }
  }

  /* Called once by the component's js_on_load. */
  NS.mount = async function (element, props, trigger, watch) {
    const probe = document.createElement("canvas");
    if (!window.niivue || !probe.getContext("webgl2")) {
      element.querySelector(".sh-viewer").hidden = true;
      // Python can draw plain images only of a case that is there, and draws them anew for the next one.
      const tell = () => { if (props.value) trigger("unsupported", {}); };
      watch("value", tell);
      tell();
      return;
    }
    const viewer = new Viewer(element, trigger);
    await viewer.start();
    window.spinehubViewer = viewer;
    watch("value", () => viewer.follow(props.value));
    await viewer.follow(props.value);
  };
})();
