// three.js as an independent reader and renderer: albedo, world normals, depth and coverage of one model.
// Reading, skinning, morphing, sampling and normal mapping are all three.js's own; only the last line of its
// fragment shader is ours, which writes what we compare in place of lit colour.
import * as THREE from "three";
import { DRACOLoader } from "three/addons/loaders/DRACOLoader.js";
import { FBXLoader } from "three/addons/loaders/FBXLoader.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { MTLLoader } from "three/addons/loaders/MTLLoader.js";
import { OBJLoader } from "three/addons/loaders/OBJLoader.js";
import { MeshoptDecoder } from "three/addons/libs/meshopt_decoder.module.js";

const ALBEDO = 0;
const GEOMETRY = 1;
const SHOWN = ["map", "color", "opacity", "alphaTest", "transparent", "side", "vertexColors", "flatShading",
  "normalMap", "normalMapType", "normalScale"];

const renderer = new THREE.WebGLRenderer({ antialias: false });
const mode = { value: ALBEDO };
let scene = null;

// three.js dropped specular-glossiness in r147; its plugin interface lets a page read it: the diffuse half
class SpecularGlossiness {
  constructor(parser) {
    this.parser = parser;
    this.name = "KHR_materials_pbrSpecularGlossiness";
  }

  extendMaterialParams(index, params) {
    const found = this.parser.json.materials[index].extensions?.[this.name];
    if (!found) return Promise.resolve();
    const [r, g, b, a] = found.diffuseFactor ?? [1, 1, 1, 1];
    params.color = new THREE.Color().setRGB(r, g, b, THREE.LinearSRGBColorSpace);
    params.opacity = a;
    return found.diffuseTexture
      ? this.parser.assignTexture(params, "map", found.diffuseTexture, THREE.SRGBColorSpace)
      : Promise.resolve();
  }
}

// some loaders return before their textures are there: wait for the manager, and tell what it missed
async function read(url) {
  const manager = new THREE.LoadingManager();
  const missing = [];
  manager.onError = (which) => missing.push(which.split("/").pop().slice(0, 80));
  const idle = new Promise((done) => {
    manager.onLoad = done;
  });
  manager.itemStart("model");
  const model = await readModel(url, manager);
  manager.itemEnd("model");
  await idle;
  return { model, missing };
}

async function readModel(url, manager) {
  const kind = url.split(".").pop().toLowerCase();
  if (kind === "fbx") return new FBXLoader(manager).loadAsync(url);
  if (kind === "obj") return readObj(url, manager);
  const draco = new DRACOLoader(manager).setDecoderPath("/three/examples/jsm/libs/draco/gltf/");
  const loader = new GLTFLoader(manager).setDRACOLoader(draco).setMeshoptDecoder(MeshoptDecoder);
  loader.register((parser) => new SpecularGlossiness(parser));
  const gltf = await loader.loadAsync(url);
  draco.dispose();
  return gltf.scene;
}

async function readObj(url, manager) {
  const text = await (await fetch(url)).text();
  const loader = new OBJLoader(manager);
  const library = text.match(/^mtllib\s+(.+?)\s*$/m);
  if (library) {
    const folder = url.slice(0, url.lastIndexOf("/") + 1);
    const materials = await new MTLLoader(manager).setPath(folder).loadAsync(library[1]);
    materials.preload();
    loader.setMaterials(materials);
  }
  return loader.parse(text);
}

function tell(material) {
  const told = new THREE.MeshStandardMaterial();
  for (const name of SHOWN) if (material[name] !== undefined) told[name] = material[name];
  told.toneMapped = false;
  // the same sharpness on slanted surfaces as ours, or we would compare filters and not models
  if (told.map) told.map.anisotropy = 8;
  told.userData.seeThrough = told.transparent;
  told.onBeforeCompile = (shader) => {
    shader.uniforms.mode = mode;
    shader.fragmentShader = shader.fragmentShader
      .replace("void main() {", "uniform int mode;\nvoid main() {")
      .replace("#include <dithering_fragment>", `
        if (mode == ${ALBEDO}) gl_FragColor = diffuseColor;
        else gl_FragColor = vec4(inverseTransformDirection(normal, viewMatrix), vViewPosition.z);
      `);
  };
  return told;
}

/** Read a model and stand it as ours stands: turned to its front, centred, on the ground. */
window.load = async ({ url, front, height }) => {
  const { model, missing } = await read(url);
  scene = new THREE.Scene();
  const known = new Map();
  const hidden = [];
  model.traverse((node) => {
    if (node.isLine || node.isPoints || node.isLight) hidden.push(node);
    else if (node.isMesh) {
      const one = (material) => {
        if (!known.has(material)) known.set(material, tell(material));
        return known.get(material);
      };
      node.material = Array.isArray(node.material) ? node.material.map(one) : one(node.material);
      node.frustumCulled = false;
    }
  });
  for (const node of hidden) node.removeFromParent();
  const stand = new THREE.Group();
  stand.add(model);
  // the front azimuth is where the product looks; it is turned back to +Z
  stand.rotation.y = THREE.MathUtils.degToRad(-front);
  scene.add(stand);
  scene.updateMatrixWorld(true);
  let box = new THREE.Box3().setFromObject(stand, true);
  const size = box.getSize(new THREE.Vector3());
  // formats without a unit are compared at our size; the caller is told three.js's own
  if (height) {
    stand.scale.setScalar(height / size.y);
    scene.updateMatrixWorld(true);
    box = new THREE.Box3().setFromObject(stand, true);
  }
  const middle = box.getCenter(new THREE.Vector3());
  stand.position.set(-middle.x, -box.min.y, -middle.z);
  scene.updateMatrixWorld(true);
  let triangles = 0;
  stand.traverse((node) => {
    if (node.isMesh) triangles += (node.geometry.index ?? node.geometry.attributes.position).count / 3;
  });
  return { size: size.toArray(), triangles, missing };
};

/** Draw one view; gives float32 rows from the top: albedo rgb, coverage, normal xyz, metres. */
window.draw = ({ eye, target, up, fov, size, samples }) => {
  const side = size * samples;
  const options = { type: THREE.FloatType, minFilter: THREE.NearestFilter, magFilter: THREE.NearestFilter };
  const buffer = new THREE.WebGLRenderTarget(side, side, options);
  const camera = new THREE.PerspectiveCamera(fov, 1, 1, 2);
  camera.position.set(...eye);
  camera.up.set(...up);
  camera.lookAt(...target);
  camera.updateMatrixWorld(true);
  const box = new THREE.Box3().setFromObject(scene, true);
  const reach = box.getSize(new THREE.Vector3()).length();
  const distance = box.getCenter(new THREE.Vector3()).distanceTo(camera.position);
  camera.near = Math.max(distance - reach, distance * 1e-3);
  camera.far = distance + reach;
  camera.updateProjectionMatrix();
  const read = (which) => {
    mode.value = which;
    scene.traverse((node) => {
      if (!node.isMesh) return;
      for (const material of [node.material].flat()) {
        const blends = which === ALBEDO && material.userData.seeThrough;
        material.transparent = blends;
        material.depthWrite = !blends;
      }
    });
    renderer.setRenderTarget(buffer);
    renderer.setClearColor(0x000000, 0);
    renderer.clear();
    renderer.render(scene, camera);
    const values = new Float32Array(side * side * 4);
    renderer.readRenderTargetPixels(buffer, 0, 0, side, side, values);
    return values;
  };
  const albedo = read(ALBEDO);
  const geometry = read(GEOMETRY);
  buffer.dispose();
  return encode(shrink(albedo, geometry, size, samples));
};

function shrink(albedo, geometry, size, samples) {
  const out = new Float32Array(size * size * 8);
  const side = size * samples;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = (y * size + x) * 8;
      let covered = 0;
      for (let j = 0; j < samples; j++) {
        for (let i = 0; i < samples; i++) {
          // GL's rows run up
          const from = ((side - 1 - (y * samples + j)) * side + x * samples + i) * 4;
          for (let c = 0; c < 4; c++) out[at + c] += albedo[from + c];
          if (geometry[from + 3] <= 0) continue;
          covered += 1;
          for (let c = 0; c < 4; c++) out[at + 4 + c] += geometry[from + c];
        }
      }
      // blending leaves colour multiplied by alpha; opaque samples have alpha 1
      for (let c = 0; c < 3; c++) out[at + c] /= Math.max(out[at + 3], 1e-9);
      out[at + 3] /= samples * samples;
      if (covered) for (let c = 4; c < 8; c++) out[at + c] /= covered;
    }
  }
  return out;
}

function encode(values) {
  const bytes = new Uint8Array(values.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

window.ready = true;
