/**
 * @brief Describes too little.
 *
 * @param[in] pool  a pool.
 *
 * @threads{safe}
 * @blocking Never.
 * @fork     Works in the child.
 * @since 0.1
 */
NEAR_API int near_one(const int *pool, void (*run)(void *), char text[8]);
