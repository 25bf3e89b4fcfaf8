typedef struct pool pool;
typedef struct near_options {
    int fields_are_free;
} options;
typedef void (*callback_fn)(int near_argument);
