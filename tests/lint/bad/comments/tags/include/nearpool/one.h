/**
 * @brief Lacks tags.
 *
 * @threads{sometimes}
 */
NEAR_API near_status near_lacks(void);

/**
 * @brief Has another order.
 *
 * @since 0.1
 * @fork     Works in the child.
 * @blocking Never.
 * @threads{safe}
 */
NEAR_API int near_order(void);

NEAR_API int near_silent(void);
