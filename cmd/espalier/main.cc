// The espalier program: parse the command line, wire the objects, run.
#include <cstdio>

int main() {
    std::puts("espalier 0.1.0");
    return 0;
}
