#version 330 core
// Vertices are in world space already: the stage bakes every transform.
layout(location = 0) in vec3 position;
#ifdef NORMAL_LOC
layout(location = NORMAL_LOC) in vec3 normal;
#endif
#ifdef TEXCOORD_0_LOC
layout(location = TEXCOORD_0_LOC) in vec2 texcoord;
#endif
#ifdef COLOR_0_LOC
layout(location = COLOR_0_LOC) in vec4 colour;
#endif
uniform mat4 V;
uniform mat4 P;
uniform vec3 eye;
out vec3 world_normal;
out vec3 to_eye;
out float metres;
#ifdef TEXCOORD_0_LOC
out vec2 uv;
#endif
#ifdef COLOR_0_LOC
out vec4 tint;
#endif

void main()
{
    vec4 local = V * vec4(position, 1.0);
    gl_Position = P * local;
    metres = -local.z;
    to_eye = eye - position;
    world_normal = normal;
#ifdef TEXCOORD_0_LOC
    uv = texcoord;
#endif
#ifdef COLOR_0_LOC
    tint = colour;
#endif
}
