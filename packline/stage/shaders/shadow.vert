#version 330 core
// Flattens the product onto the ground along one direction an instance.
layout(location = 0) in vec3 position;
uniform mat4 V;
uniform mat4 P;
uniform vec3 directions[64];
uniform int count;
uniform int keys;
uniform float ground;
flat out vec4 hit;

void main()
{
    vec3 d = directions[gl_InstanceID];
    float height = max(position.y - ground, 0.0);
    vec4 clip = P * (V * vec4(position.x - d.x / d.y * height, ground, position.z - d.z / d.y * height, 1.0));
    // each direction lies in front of the one before and all its triangles at one depth: under the test LESS
    // it adds to a pixel exactly once, however many layers it has there
    clip.z = clip.w * (1.0 - 2.0 * float(gl_InstanceID + 1) / float(count + 1));
    gl_Position = clip;
    hit = gl_InstanceID < keys ? vec4(1.0 / 255.0, 0.0, 0.0, 0.0) : vec4(0.0, 1.0 / 255.0, 0.0, 0.0);
}
