/**
 * @file
 * @brief A header.
 */

typedef int near_status;

/**
 * @brief A function.
 *
 * @param[in] wrong  not a parameter of it.
 *
 * @errors
 * - ::NEAR_E_NOT_A_CODE  a link to nothing
 */
NEAR_API near_status near_one(int right);
