/** @since 0.1 */
NEAR_API int near_one(void);
