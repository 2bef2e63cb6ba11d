#version 330 core
flat in vec4 hit;
layout(location = 0) out vec4 out_hits;

void main()
{
    out_hits = hit;
}
