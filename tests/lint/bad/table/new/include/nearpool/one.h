NEAR_API int near_one(void);
NEAR_API int near_two(void);
