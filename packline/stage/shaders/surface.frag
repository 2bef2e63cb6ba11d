#version 330 core
in vec3 world_normal;
in vec3 to_eye;
#ifdef TANGENTS_LOC
in vec4 along_red;
#endif
in float metres;
#ifdef TEXCOORD_0_LOC
in vec2 uv;
#endif
#ifdef TEXCOORD_1_LOC
in vec2 other_uv;
#endif
#ifdef COLOR_0_LOC
in vec4 tint;
#endif
uniform vec4 base_colour;
uniform float roughness;
uniform float metallic;
uniform vec3 emissive;
uniform float part;          // 1 + its index, and 32768 more where it is unlit
#ifdef CUTS_BELOW
uniform float least_alpha;   // what is less is not there
#endif
#ifdef PEELS_LAYER
uniform float most_alpha;    // what is more was drawn among the opaque
uniform sampler2D opaque_depth;
uniform sampler2D nearer_depth;  // of the layer before
uniform int layer;
#endif
// each texture: its picture and the rows of its placement
#ifdef HAS_BASE
uniform sampler2D base_texture;
uniform vec3 base_u, base_v;
#endif
#ifdef HAS_SURFACE
uniform sampler2D surface_texture;
uniform vec3 surface_u, surface_v;
#endif
#ifdef HAS_EMISSIVE
uniform sampler2D emissive_texture;
uniform vec3 emissive_u, emissive_v;
#endif
#ifdef HAS_OCCLUSION
uniform sampler2D occlusion_texture;
uniform vec3 occlusion_u, occlusion_v;
#endif
uniform float occlusion_strength;
#ifdef HAS_NORMAL
uniform sampler2D normal_texture;
uniform vec3 normal_u, normal_v;
uniform float normal_scale;
#endif
layout(location = 0) out vec4 out_albedo;    // linear; part
layout(location = 1) out vec4 out_geometry;  // world normal, metres
layout(location = 2) out vec4 out_surface;   // roughness, metallic, occlusion, alpha
layout(location = 3) out vec2 out_place;     // uv at the middle of the pixel
layout(location = 4) out vec4 out_emissive;  // linear
const int N = SUPERSAMPLE;

vec2 placed(vec2 at, vec3 u, vec3 v)
{
    return vec2(dot(u, vec3(at, 1.0)), dot(v, vec3(at, 1.0)));
}

void main()
{
    vec4 base = base_colour;
#ifdef HAS_BASE
    vec2 base_at = placed(BASE_SET, base_u, base_v);
#ifdef CUT_TEXTURE
    base.a = 1.0;  // its factor is in the texture
#endif
    base *= texture(base_texture, base_at);
#endif
#ifdef COLOR_0_LOC
    base *= tint;
#endif
    float alpha = 1.0;
    bool gone = false;
#ifdef CUTS_BELOW
    float least = least_alpha;
#ifdef CUT_TEXTURE
    // where the picture is reduced, its alpha is the share of texels that are there: as many samples of the
    // pixel must be (1/8, 3/8, 5/8, 7/8 where there are four)
    vec2 size = vec2(textureSize(base_texture, 0));
    vec2 across = dFdx(base_at) * size, down = dFdy(base_at) * size;
    float reduced = clamp(0.5 * log2(max(dot(across, across), dot(down, down))), 0.0, 1.0);
    ivec2 sample_at = ivec2(gl_FragCoord.xy) % N;
    float rank = float((sample_at.x + sample_at.y) % N * N + sample_at.y) + 0.5;
    least = mix(least, rank / float(N * N), reduced);
#endif
    gone = base.a < least;
#endif
#ifdef PEELS_LAYER
    ivec2 here = ivec2(gl_FragCoord.xy);
    gone = gone || base.a > most_alpha || gl_FragCoord.z > texelFetch(opaque_depth, here, 0).r;
    gone = gone || (layer > 1 && gl_FragCoord.z <= texelFetch(nearer_depth, here, 0).r);
    alpha = base.a;
#endif

    vec3 v = normalize(to_eye);
    vec3 n = normalize(world_normal);
    if (!gl_FrontFacing) n = -n;
    // a smooth normal may lean away at the silhouette; one that points far away was stored inside out
    if (dot(n, v) < -0.4) n = -n;
    float slant = abs(dot(n, v));
#ifdef HAS_NORMAL
    vec2 at = placed(NORMAL_SET, normal_u, normal_v);
#ifdef TANGENTS_LOC
    // glTF 2.0 section 3.7.2.1; of the side that is the outside, and reversed as a whole where the back shows
    vec3 outward = normalize(world_normal);
    vec3 red = normalize(along_red.xyz - outward * dot(outward, along_red.xyz));
    vec3 green = cross(outward, red) * sign(along_red.w);
    vec3 bent = texture(normal_texture, at).xyz * 2.0 - 1.0;
    bent = normalize((red * bent.x + green * bent.y) * normal_scale + outward * bent.z);
    n = dot(n, outward) < 0.0 ? -bent : bent;
#else
    // cotangent frame from derivatives (Schueler 2013), so that no tangents are needed and turned or mirrored
    // pictures bend the surface their own way; v runs down in glTF
    vec3 dp1 = dFdx(-to_eye), dp2 = dFdy(-to_eye);
    vec2 du1 = dFdx(at), du2 = dFdy(at);
    vec3 a = cross(dp2, n), b = cross(n, dp1);
    vec3 t = a * du1.x + b * du2.x, w = a * du1.y + b * du2.y;
    float longest = max(dot(t, t), dot(w, w));
    if (longest > 0.0) {
        // the sign undoes the handedness of the picture, which is drawn upside down
        float k = sign(dot(dp1, a)) * inversesqrt(longest);
        vec3 m = texture(normal_texture, at).xyz * 2.0 - 1.0;
        // a bump of the front is a dent of the back (glTF 2.0: the back's normal is the front's, reversed)
        if (!gl_FrontFacing) m.xy = -m.xy;
        n = normalize(t * k * m.x * normal_scale - w * k * m.y * normal_scale + n * m.z);
    }
#endif
#endif
    // what a normal map bends away from the eye must not be turned inside out, only to the horizon
    float facing = dot(n, v);
    if (facing < 0.0) n = normalize(n - facing * v);

    float rough = roughness, metal = metallic, open = 1.0;
#ifdef HAS_SURFACE
    vec4 s = texture(surface_texture, placed(SURFACE_SET, surface_u, surface_v));
    rough *= s.g;
    metal *= s.b;
#ifdef PACKS_OCCLUSION
    open += occlusion_strength * (s.r - 1.0);
#endif
#endif
#ifdef HAS_OCCLUSION
    open += occlusion_strength
        * (texture(occlusion_texture, placed(OCCLUSION_SET, occlusion_u, occlusion_v)).r - 1.0);
#endif
    vec3 glow = emissive;
#ifdef HAS_EMISSIVE
    glow *= texture(emissive_texture, placed(EMISSIVE_SET, emissive_u, emissive_v)).rgb;
#endif
    out_albedo = vec4(base.rgb, part / 65535.0);
    out_geometry = vec4(n, metres);
    out_surface = vec4(rough, metal, open, alpha);
    out_emissive = vec4(min(glow, vec3(6e4)), 1.0);  // half floats end there
    out_place = vec2(0.0);
#ifdef TEXCOORD_0_LOC
    // along the triangle to the middle of the pixel; not where that might be far beyond its edge
    vec2 off = 0.5 * float(N - 1) - vec2(ivec2(gl_FragCoord.xy) % N);
    out_place = uv;
    if (slant > 0.15) out_place += dFdx(uv) * off.x + dFdy(uv) * off.y;
#endif
#ifdef CUTS_BELOW
    // not before: the derivatives above need whole quads of fragments
    if (gone) discard;
#endif
}
