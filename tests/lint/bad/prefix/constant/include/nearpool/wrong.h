enum {
    NEAR_FINE = 0, /**< fine */
    ERROR_NOT = 1
};
