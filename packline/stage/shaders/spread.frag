#version 330 core
// From every second pixel to every pixel, along the surface and not across its edges.
uniform sampler2D geometry;
uniform sampler2D open_map;  // from visibility.frag
uniform ivec2 last;          // of open_map
uniform ivec2 end;           // the last pixel
uniform mat4 pose;               // camera to world
uniform vec3 lens;
uniform ivec2 corner;
layout(location = 0) out vec4 out_open;

vec3 ray(ivec2 at)
{
    vec2 xy = (vec2(at + corner) + 0.5 - lens.xy) / lens.z;
    return mat3(pose) * vec3(xy.x, -xy.y, -1.0);
}

void main()
{
    ivec2 here = ivec2(gl_FragCoord.xy);
    vec4 g = texelFetch(geometry, here, 0);
    out_open = vec4(1.0);
    if (g.w <= 0.0) return;
    vec3 p = g.w * ray(here);
    // metres off the surface's plane that still count as the same surface: one and a half pixels
    float reach = 1.5 * g.w / lens.z;
    ivec2 middle = here / 2;
    // a tent over a box of two: each of the four phases weighs the same
    vec2 odd = vec2(here % 2);
    vec3 wx = vec3(0.75 - 0.5 * odd.x, 1.0, 0.25 + 0.5 * odd.x);
    vec3 wy = vec3(0.75 - 0.5 * odd.y, 1.0, 0.25 + 0.5 * odd.y);
    vec2 sum = vec2(0.0);
    float total = 0.0;
    for (int i = 0; i < 9; ++i) {
        ivec2 at = middle + ivec2(i % 3 - 1, i / 3 - 1);
        if (any(lessThan(at, ivec2(0))) || any(greaterThan(at, last))) continue;
        vec4 open = texelFetch(open_map, at, 0);
        if (open.z <= 0.0) continue;
        vec3 off = open.z * ray(min(at * 2, end)) - p;
        float apart = dot(off, g.xyz) / reach;
        float w = wx[i % 3] * wy[i / 3] * (exp(-apart * apart) + 1e-4);
        sum += w * open.xy;
        total += w;
    }
    if (total > 0.0) out_open = vec4(sum / total, 0.0, 0.0);
}
