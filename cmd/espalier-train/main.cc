// One training instance under the /opt/ml directory contract.
#include <cstdio>

int main() {
    std::puts("espalier-train 0.1.0");
    return 0;
}
