#version 330 core
// The product as a light far away sees it, one direction an instance, each in its own tile.
layout(location = 0) in vec3 position;
uniform vec3 centre;
uniform float radius;        // of a sphere around the product
uniform int tiles;           // a side
uniform float room;          // of a tile that the sphere fills, the rest is its rim
uniform vec3 rights[64];
uniform vec3 ups[64];
uniform vec3 directions[64]; // towards the light

void main()
{
    vec3 p = (position - centre) / radius;
    int i = gl_InstanceID;
    vec2 tile = vec2(i % tiles, i / tiles);
    vec2 at = (tile + 0.5 + 0.5 * room * vec2(dot(p, rights[i]), dot(p, ups[i]))) / float(tiles);
    gl_Position = vec4(at * 2.0 - 1.0, -dot(p, directions[i]), 1.0);
}
