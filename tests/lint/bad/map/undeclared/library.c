int near_one(void) {
    return 1;
}
int near_two(void) {
    return 2;
}
