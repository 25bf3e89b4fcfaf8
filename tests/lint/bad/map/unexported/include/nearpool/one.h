/** @since 0.1 */
NEAR_API int near_one(void);
/** @since 0.1 */
NEAR_API int near_two(void);
/** @since 0.2 */
NEAR_API int near_three(void);
