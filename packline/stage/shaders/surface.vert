#version 330 core
// Vertices are in world space already: the stage bakes every transform.
layout(location = 0) in vec3 position;
layout(location = NORMAL_LOC) in vec3 normal;
#ifdef TANGENTS_LOC
layout(location = TANGENTS_LOC) in vec4 tangent;
out vec4 along_red;
#endif
#ifdef TEXCOORD_0_LOC
layout(location = TEXCOORD_0_LOC) in vec2 texcoord;
out vec2 uv;
#endif
#ifdef TEXCOORD_1_LOC
layout(location = TEXCOORD_1_LOC) in vec2 other_texcoord;
out vec2 other_uv;
#endif
#ifdef COLOR_0_LOC
layout(location = COLOR_0_LOC) in vec4 colour;
out vec4 tint;
#endif
uniform mat4 V;
uniform mat4 P;
uniform vec3 eye;
// layers are told apart by depth, and drawn by other programs than what they lie on
invariant gl_Position;
out vec3 world_normal;
out vec3 to_eye;
out float metres;

void main()
{
    vec4 local = V * vec4(position, 1.0);
    gl_Position = P * local;
    metres = -local.z;
    to_eye = eye - position;
    world_normal = normal;
#ifdef TANGENTS_LOC
    along_red = tangent;
#endif
#ifdef TEXCOORD_0_LOC
    uv = texcoord;
#endif
#ifdef TEXCOORD_1_LOC
    other_uv = other_texcoord;
#endif
#ifdef COLOR_0_LOC
    tint = colour;
#endif
}
