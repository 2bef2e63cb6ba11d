// three.js as an independent photographer: a model in a pose under a key light and a room's reflections, and
// the shadow that it throws on the ground. Nothing of Packline's own shading has a part in the picture.
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";

const SHADOW_MAP = 1024;
const renderer = new THREE.WebGLRenderer({ antialias: false, preserveDrawingBuffer: true });
renderer.toneMapping = THREE.NeutralToneMapping;
renderer.shadowMap.enabled = true;
renderer.shadowMap.type = THREE.VSMShadowMap;
const room = new THREE.PMREMGenerator(renderer).fromScene(new RoomEnvironment(), 0.04).texture;
let stand = null;

window.load = async ({ url, front }) => {
  const gltf = await new GLTFLoader().loadAsync(url);
  const inner = new THREE.Group();
  inner.add(gltf.scene);
  inner.rotation.y = THREE.MathUtils.degToRad(-front);
  stand = new THREE.Group();
  stand.matrixAutoUpdate = false;
  stand.add(inner);
  stand.updateMatrixWorld(true);
  return { size: boxed(inner).getSize(new THREE.Vector3()).toArray() };
};

function boxed(group) {
  return new THREE.Box3().setFromObject(group, true);
}

/** The box of the unaltered model decides where all of them stand: [min x, min y, min z, max x, max y, max z]. */
window.bounds = () => {
  const box = boxed(stand.children[0]);
  return [...box.min.toArray(), ...box.max.toArray()];
};

/** One picture of the product (on nothing) and one of its shadow on white; PNGs in base64, rows from the top. */
window.shoot = ({ bounds, pose, camera, light, extra, size }) => {
  const [x0, y0, z0, x1, , z1] = bounds;
  const inner = stand.children[0];
  inner.position.set(-(x0 + x1) / 2, -y0, -(z0 + z1) / 2);
  stand.matrix.set(...pose);
  const scene = new THREE.Scene();
  scene.add(stand);
  let more = null;
  if (extra) {
    const shape = extra.kind === "ball"
      ? new THREE.SphereGeometry(extra.size, 32, 16)
      : new THREE.BoxGeometry(extra.size * 1.6, extra.size * 1.6, extra.size * 1.6);
    more = new THREE.Mesh(shape, new THREE.MeshStandardMaterial({ color: extra.colour, roughness: 0.6 }));
    more.position.set(...extra.at);
    scene.add(more);
  }
  scene.environment = room;
  scene.environmentIntensity = light.fill;
  const key = new THREE.DirectionalLight(new THREE.Color(...light.colour), light.strength * Math.PI);
  scene.updateMatrixWorld(true);
  const box = new THREE.Box3().setFromObject(stand, true);
  const middle = box.getCenter(new THREE.Vector3());
  const reach = box.getSize(new THREE.Vector3()).length();
  scene.add(key, key.target);
  aim(key, new THREE.Vector3(...light.direction), middle, reach, light.softness);
  stand.traverse((node) => {
    if (node.isMesh) node.castShadow = node.receiveShadow = true;
  });
  if (more) more.castShadow = true;
  const eye = new THREE.PerspectiveCamera(camera.fov, 1, camera.near, camera.far);
  eye.position.set(...camera.eye);
  eye.up.set(...camera.up);
  eye.lookAt(...camera.target);
  renderer.setSize(size, size, false);
  renderer.toneMappingExposure = light.exposure;
  renderer.setClearColor(0x000000, 0);
  renderer.render(scene, eye);
  const picture = renderer.domElement.toDataURL("image/png");
  // the mask: everything white, without light
  scene.overrideMaterial = new THREE.MeshBasicMaterial({ color: 0xffffff, side: THREE.DoubleSide });
  renderer.toneMapping = THREE.NoToneMapping;
  renderer.setClearColor(0x000000, 1);
  renderer.render(scene, eye);
  const mask = renderer.domElement.toDataURL("image/png");
  scene.overrideMaterial = null;
  // shadows: of the key, and of the sky as a very soft light from above
  const ground = new THREE.Mesh(
    new THREE.PlaneGeometry(40 * reach, 40 * reach).rotateX(-Math.PI / 2),
    new THREE.ShadowMaterial({ color: 0x000000, opacity: 1 }),
  );
  ground.position.y = box.min.y;
  ground.receiveShadow = true;
  const caster = new THREE.MeshBasicMaterial({ colorWrite: false, depthWrite: false, side: THREE.DoubleSide });
  const kept = new Map();
  scene.traverse((node) => {
    if (!node.isMesh) return;
    kept.set(node, node.material);
    node.material = caster;
  });
  scene.add(ground);
  renderer.setClearColor(0xffffff, 1);
  renderer.render(scene, eye);
  const keyed = renderer.domElement.toDataURL("image/png");
  aim(key, new THREE.Vector3(0.05, 1, 0.05), middle, reach, 30);
  renderer.render(scene, eye);
  const sky = renderer.domElement.toDataURL("image/png");
  for (const [node, material] of kept) node.material = material;
  renderer.toneMapping = THREE.NeutralToneMapping;
  key.dispose();
  return { picture, mask, keyed, sky };
};

function aim(light, direction, middle, reach, softness) {
  light.position.copy(middle).addScaledVector(direction.normalize(), 3 * reach);
  light.target.position.copy(middle);
  light.target.updateMatrixWorld();
  light.castShadow = true;
  light.shadow.mapSize.set(SHADOW_MAP, SHADOW_MAP);
  light.shadow.radius = softness;
  light.shadow.blurSamples = 16;
  light.shadow.bias = -0.0005;
  const side = 1.2 * reach;
  Object.assign(light.shadow.camera, { left: -side, right: side, top: side, bottom: -side, near: reach, far: 6 * reach });
  light.shadow.camera.updateProjectionMatrix();
  light.shadow.needsUpdate = true;
}

window.ready = true;
