NEAR_API int near_one(void);
