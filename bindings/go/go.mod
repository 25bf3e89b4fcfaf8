module nearpool.example/worker_pool

go 1.19
