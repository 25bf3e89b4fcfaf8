#include <nearpool/export.h>

NEAR_API int nearly_there(void);
int hidden_helper(int a);
