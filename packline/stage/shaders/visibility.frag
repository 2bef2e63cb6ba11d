#version 330 core
// How much of the key and of the fill reaches every second pixel each way. Neighbours ask other directions:
// any four of them have asked all (interleaved sampling, Keller and Heidrich 2001), and spread.frag joins them.
uniform sampler2D geometry;      // world normal, metres; 0 metres: nothing
uniform sampler2DShadow key_maps;
uniform sampler2DShadow fill_maps;
uniform ivec2 last;              // the last pixel
uniform vec3 centre;
uniform float radius;
uniform float room;
uniform int key_tiles, fill_tiles, key_count, fill_count;
uniform float key_texel, fill_texel;  // metres
uniform vec3 rights[128];             // of the key's directions, then of the fill's from 64 on
uniform vec3 ups[128];
uniform vec3 directions[128];
uniform vec3 eye;
uniform mat4 pose;               // camera to world
uniform vec3 lens;               // half the picture's width and height, focal length, pixels
uniform ivec2 corner;            // of the geometry in the picture
layout(location = 0) out vec4 out_open;  // of key, of fill, metres

float lit(sampler2DShadow maps, int tiles, int index, int which, vec3 p)
{
    vec2 tile = vec2(which % tiles, which / tiles);
    vec2 at = vec2(dot(p, rights[index]), dot(p, ups[index]));
    // no ray from there to the light meets the product, and the next tile is another direction's
    if (any(greaterThan(abs(at), vec2(1.0)))) return 1.0;
    at = (tile + 0.5 + 0.5 * room * at) / float(tiles);
    return texture(maps, vec3(at, clamp(0.5 - 0.5 * dot(p, directions[index]), 0.0, 1.0)));
}

void main()
{
    ivec2 here = ivec2(gl_FragCoord.xy);
    ivec2 at = min(here * 2, last);
    vec4 g = texelFetch(geometry, at, 0);
    for (int i = 1; i < 4 && g.w <= 0.0; ++i) {
        at = min(here * 2 + ivec2(i % 2, i / 2), last);
        g = texelFetch(geometry, at, 0);
    }
    out_open = vec4(0.0);
    if (g.w <= 0.0) return;
    vec2 ray = (vec2(at + corner) + 0.5 - lens.xy) / lens.z;
    vec3 p = eye + g.w * (mat3(pose) * vec3(ray.x, -ray.y, -1.0));
    vec3 n = g.xyz;
    int phase = here.x % 2 + 2 * (here.y % 2);
    vec2 key = vec2(0.0), fill = vec2(0.0);
    for (int i = phase; i < key_count; i += 4) {
        float facing = dot(n, directions[i]);
        // away from the surface, so that it does not shadow itself: the more, the more it slants
        float off = key_texel * (0.7 + 2.0 * sqrt(max(1.0 - facing * facing, 0.0)));
        float open = lit(key_maps, key_tiles, i, i, (p + n * off - centre) / radius);
        // a coarse mesh with smooth normals turns from the light before its normals do
        open = mix(1.0, open, smoothstep(0.02, 0.22, facing));
        key += max(facing, 0.0) * vec2(open, 1.0);
    }
    for (int i = phase; i < fill_count; i += 4) {
        float facing = dot(n, directions[64 + i]);
        float off = fill_texel * (1.0 + 2.2 * sqrt(max(1.0 - facing * facing, 0.0)));
        float open = lit(fill_maps, fill_tiles, 64 + i, i, (p + n * off - centre) / radius);
        open = mix(1.0, open, smoothstep(0.0, 0.12, facing));
        fill += max(facing, 0.0) * vec2(open, 1.0);
    }
    out_open = vec4(key.y > 0.0 ? key.x / key.y : 1.0, fill.y > 0.0 ? fill.x / fill.y : 1.0, g.w, 0.0);
}
