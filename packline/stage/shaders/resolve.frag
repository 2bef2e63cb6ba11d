#version 330 core
// From a pixel's samples to the pixel: one box filter, each map by its own rule.
uniform sampler2D albedo_map;
uniform sampler2D geometry_map;
uniform sampler2D surface_map;
uniform sampler2D place_map;
#ifdef EMITS
uniform sampler2D emissive_map;
layout(location = 4) out vec4 out_emissive;
#endif
// a pixel of a surface at this depth spans so many metres of depth at most
uniform float steepest;
layout(location = 0) out vec4 out_albedo;    // linear, mean over what is covered; coverage times alpha
layout(location = 1) out vec4 out_geometry;  // normal, metres
layout(location = 2) out vec4 out_surface;   // roughness, metallic, occlusion; mean alpha of what is covered
layout(location = 3) out vec4 out_place;     // uv, 1 + part, share of unlit samples
const int N = SUPERSAMPLE;

void main()
{
    ivec2 corner = ivec2(gl_FragCoord.xy) * N;
    float metres[N * N];
    float ids[N * N];
    vec4 albedo = vec4(0.0);
    vec3 surface = vec3(0.0), normal = vec3(0.0), glow = vec3(0.0);
    float covered = 0.0, unlit = 0.0, total = 0.0, near = 1e30, far = 0.0;
    for (int i = 0; i < N * N; ++i) {
        ivec2 at = corner + ivec2(i % N, i / N);
        vec4 g = texelFetch(geometry_map, at, 0);
        metres[i] = g.w;
        ids[i] = 0.0;
        if (g.w <= 0.0) continue;
        vec4 a = texelFetch(albedo_map, at, 0);
        vec4 s = texelFetch(surface_map, at, 0);
        float id = floor(a.a * 65535.0 + 0.5);
        float dark = step(32768.0, id);
        ids[i] = id - 32768.0 * dark;
        unlit += dark;
        covered += 1.0;
        albedo += vec4(a.rgb * s.a, s.a);
        surface += s.rgb;
        normal += g.xyz;
        total += g.w;
        near = min(near, g.w);
        far = max(far, g.w);
#ifdef EMITS
        glow += texelFetch(emissive_map, at, 0).rgb * s.a;
#endif
    }
    out_albedo = out_geometry = out_place = vec4(0.0);
    out_surface = vec4(0.0, 0.0, 1.0, 1.0);
#ifdef EMITS
    out_emissive = vec4(0.0);
#endif
    if (covered == 0.0) return;

    // the part that most samples show, the nearest where as many show another
    float votes = 0.0, metres_of_best = 1e30;
    int best = 0;
    for (int i = 0; i < N * N; ++i) {
        if (metres[i] <= 0.0) continue;
        float count = 0.0;
        for (int j = 0; j < N * N; ++j) count += ids[j] == ids[i] ? 1.0 : 0.0;
        if (count > votes || (count == votes && metres[i] < metres_of_best && ids[i] != ids[best])) {
            best = i;
            votes = count;
            metres_of_best = metres[i];
        }
    }
    vec2 uv = texelFetch(place_map, corner + ivec2(best % N, best / N), 0).rg;
    // on different surfaces the mean would lie between them, where nothing is
    float depth = far - near < steepest * near ? total / covered : near;
    out_albedo = vec4(albedo.rgb / albedo.a, albedo.a / float(N * N));
    out_geometry = vec4(normal / max(length(normal), 1e-9), depth);
    out_surface = vec4(surface / covered, albedo.a / covered);
    out_place = vec4(uv, ids[best], unlit / covered);
#ifdef EMITS
    out_emissive = vec4(glow / albedo.a, 1.0);
#endif
}
