#include <string>
#include <utility>

std::string use_after_move(std::string text) {
    std::string other = std::move(text);
    return other + text;
}

int divide(int a) {
    int zero = 0;
    if (a == 0)
        return 0;
    return a / zero;
}
