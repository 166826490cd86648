"""A workload whose import raises what is no `Exception`."""


class OwnError(BaseException):
    pass


raise OwnError("no licence")
