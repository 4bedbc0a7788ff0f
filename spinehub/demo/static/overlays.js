/* Maps laid over the image: those of the case, and those of the region that was analysed last (a class map, say). Both
   come as one file of levels each, 0 where a map is not defined; choosing one asks the server for nothing. */
(function () {
  "use strict";
  const NS = (window.spinehub = window.spinehub || {});

  /* Purple below zero, green above: told apart with every kind of colour vision, and not the colours of the classes. */
  const DIVERGING = {
    R: [118, 118, 235, 27], G: [42, 42, 235, 120], B: [131, 131, 235, 55], A: [0, 128, 128, 128], I: [0, 1, 128, 255],
  };
  /* Blue for metastasis, orange for a primary tumour, as everywhere on the page. */
  const CLASSES = {
    R: [42, 42, 225, 217], G: [127, 127, 225, 130], B: [186, 186, 225, 43], A: [0, 128, 128, 128], I: [0, 1, 128, 255],
  };

  class Overlays {
    constructor(viewer) {
      this.viewer = viewer;
      this.files = { maps: { url: null, volume: null }, layers: { url: null, volume: null } };
      this.wanted = "";
      this.shown = null;
    }

    start() {
      this.viewer.nv.addColormap("spinehub-diverging", DIVERGING);
      this.viewer.nv.addColormap("spinehub-classes", CLASSES);
    }

    /* Forget the files of another case. */
    clear() {
      this.hide();
      for (const file of Object.values(this.files)) Object.assign(file, { url: null, volume: null });
      this.wanted = "";
    }

    /* Follow the server; true where something else is on offer now. */
    async follow(urls) {
      let changed = false;
      for (const [kind, file] of Object.entries(this.files)) {
        if (urls[kind] === file.url) continue;
        if (this.shown?.kind === kind) this.hide();
        file.volume = urls[kind]
          ? await window.niivue.NVImage.loadFromUrl({ url: urls[kind], name: `${kind}.nii.gz`, opacity: 0.6 }) : null;
        file.url = urls[kind];
        changed = true;
      }
      return changed;
    }

    offered() {
      const { info } = this.viewer, list = (kind) => (info[kind] || []).map((map, place) => ({ ...map, kind, place }));
      return [...list("maps"), ...list("layers")].filter((map) => this.files[map.kind].volume);
    }

    hide() {
      const volume = this.shown && this.files[this.shown.kind].volume;
      if (volume && this.viewer.nv.volumes.includes(volume)) this.viewer.nv.removeVolume(volume);
      this.shown = null;
    }

    show(name, opacity) {
      this.hide();
      this.wanted = name;
      const map = this.offered().find((one) => one.name === name);
      if (!map) return null;
      const volume = this.files[map.kind].volume;
      Object.assign(volume, { opacity, frame4D: map.place });
      volume.colormap = map.colormap;
      this.viewer.nv.addVolume(volume);
      // Last: both steps before choose limits of their own, and the colours would not be those of the colour bar.
      Object.assign(volume, { cal_min: 0.5, cal_max: this.viewer.info.map_levels });
      this.viewer.nv.updateGLVolume();
      this.shown = map;
      return map;
    }

    setOpacity(opacity) {
      const volume = this.shown && this.files[this.shown.kind].volume;
      if (volume) { volume.opacity = opacity; this.viewer.nv.updateGLVolume(); }
    }

    /* Value of the shown map at a voxel, or null where it has none. */
    value([i, j, k]) {
      const map = this.shown, { volume } = this.files[map.kind], { shape, map_levels: levels } = this.viewer.info;
      const place = map.place * volume.nVox3D + i + shape[0] * (j + shape[1] * k);
      const level = volume.img[place] * (volume.hdr.scl_slope || 1) + volume.hdr.scl_inter;
      return level < 0.5 ? null : map.low + ((level - 1) / (levels - 1)) * (map.high - map.low);
    }
  }
  NS.Overlays = Overlays;
})();
