"""The JSON shapes of the REST paths (R15), for validation and for the OpenAPI document."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")
MAX_SYMBOLS_PER_REQUEST = 1000

SymbolName = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True)]
SymbolId = Annotated[int, Field(gt=0, lt=2**53, strict=True)]
Count = Annotated[float, Field(ge=0, lt=2**53)]


class Success(BaseModel, Generic[T]):
    """A request that was served."""

    success: bool = True
    data: T


class SymbolProblem(BaseModel):
    """A symbol of the request that could not be served, beside those that could."""

    symbol: str
    code: str
    error: str
    retryable: bool


class PartialSuccess(Success[T], Generic[T]):
    """A request that was served at least in part; `errors` names what was not."""

    errors: list[SymbolProblem] = []


class Failure(BaseModel):
    """A request that was not served."""

    success: bool = False
    error: str
    code: str
    requestId: str  # noqa: N815  the wire's own name


class PersonView(BaseModel):
    """One person whose login the gateway holds."""

    personName: str  # noqa: N815
    isActive: bool  # noqa: N815


class TokenView(BaseModel):
    """A token of this gateway. The socket URL is `apiServer` with `http` replaced by `ws`, plus `:streamPort`."""

    accessToken: str  # noqa: N815
    apiServer: str  # noqa: N815
    expiresAt: str  # noqa: N815


class PortView(BaseModel):
    """Where the WebSocket listens."""

    streamPort: int  # noqa: N815


class SymbolsRequest(BaseModel):
    """Symbols by name."""

    symbols: Annotated[list[SymbolName], Field(max_length=MAX_SYMBOLS_PER_REQUEST)]


class PortRequest(BaseModel):
    """What existing front ends send before they open the socket."""

    symbolIds: Annotated[list[SymbolId], Field(max_length=100_000)] = []  # noqa: N815
    personName: str | None = None  # noqa: N815


class ClientReport(BaseModel):
    """What a client counted since its start (R19). Times in milliseconds; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore")

    connectionId: Annotated[str, StringConstraints(max_length=128)] | None = None  # noqa: N815
    connectionsAttempted: Count = 0  # noqa: N815
    connectionsSucceeded: Count = 0  # noqa: N815
    connectionsFailed: Count = 0  # noqa: N815
    messagesReceived: Count = 0  # noqa: N815
    messagesSent: Count = 0  # noqa: N815
    reconnectionCount: Count = 0  # noqa: N815
    averageLatency: Count | None = None  # noqa: N815
    lastQuoteTime: Any = None  # noqa: N815
    tokenRefreshCount: Count = 0  # noqa: N815
    uptime: Count = 0
    status: Any = None


class Received(BaseModel):
    """A report was taken."""

    received: bool = True
