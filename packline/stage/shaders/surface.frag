#version 330 core
in vec3 world_normal;
in vec3 to_eye;
in float metres;
#ifdef TEXCOORD_0_LOC
in vec2 uv;
#endif
#ifdef COLOR_0_LOC
in vec4 tint;
#endif
uniform vec4 base_colour;
uniform float roughness;
uniform float metallic;
uniform vec3 emissive;
uniform int alpha_mode;      // 0 opaque, 1 mask, 2 blend
uniform float alpha_cutoff;
uniform int supersample;
uniform int layer;
#ifdef HAS_BASE
uniform sampler2D base_texture;
#endif
#ifdef HAS_SURFACE
uniform sampler2D surface_texture;
#endif
#ifdef HAS_EMISSIVE
uniform sampler2D emissive_texture;
#endif
#ifdef HAS_NORMAL
uniform sampler2D normal_texture;
uniform float normal_scale;
#endif
layout(location = 0) out vec4 out_albedo;    // sRGB
layout(location = 1) out vec4 out_geometry;  // world normal, metres
layout(location = 2) out vec4 out_surface;   // roughness, metallic
layout(location = 3) out vec4 out_emissive;  // sRGB

vec3 encode(vec3 c)
{
    c = clamp(c, 0.0, 1.0);
    return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

void main()
{
    vec4 base = base_colour;
#ifdef HAS_BASE
    base *= texture(base_texture, uv);
#endif
#ifdef COLOR_0_LOC
    base *= tint;
#endif
    if (alpha_mode == 1 && base.a < alpha_cutoff) discard;
    if (alpha_mode == 2) {
        // screen-door transparency: the box filter turns the share of kept samples into coverage
        int n = supersample * supersample;
        ivec2 p = ivec2(gl_FragCoord.xy) % supersample;
        int rank = (p.y * supersample + p.x + layer) % n;
        if (base.a < (float(rank) + 0.5) / float(n)) discard;
    }

    vec3 v = normalize(to_eye);
    vec3 n = normalize(world_normal);
    if (!gl_FrontFacing) n = -n;
#ifdef HAS_NORMAL
    // cotangent frame from derivatives (Schueler 2013), so that no tangents are needed; v runs down in glTF
    vec3 dp1 = dFdx(-to_eye), dp2 = dFdy(-to_eye);
    vec2 du1 = dFdx(uv), du2 = dFdy(uv);
    vec3 a = cross(dp2, n), b = cross(n, dp1);
    vec3 t = a * du1.x + b * du2.x, w = a * du1.y + b * du2.y;
    float longest = max(dot(t, t), dot(w, w));
    if (longest > 0.0) {
        // the sign undoes the handedness of the picture, which is drawn upside down
        float k = sign(dot(dp1, a)) * inversesqrt(longest);
        vec3 m = texture(normal_texture, uv).xyz * 2.0 - 1.0;
        n = normalize(t * k * m.x * normal_scale - w * k * m.y * normal_scale + n * m.z);
    }
#endif
    float facing = dot(n, v);
    // a smooth normal may lean away at the silhouette; one that points far away was stored inside out
    if (facing < -0.4) n = -n;
    else if (facing < 0.0) n = normalize(n - facing * v);

    float rough = roughness, metal = metallic;
#ifdef HAS_SURFACE
    vec4 s = texture(surface_texture, uv);
    rough *= s.g;
    metal *= s.b;
#endif
    vec3 glow = emissive;
#ifdef HAS_EMISSIVE
    glow *= texture(emissive_texture, uv).rgb;
#endif
    out_albedo = vec4(encode(base.rgb), 1.0);
    out_geometry = vec4(n, metres);
    out_surface = vec4(rough, metal, 0.0, 1.0);
    out_emissive = vec4(encode(glow), 1.0);
}
