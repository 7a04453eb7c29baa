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
    requestId: str


class PersonView(BaseModel):
    """One person whose login the gateway holds."""

    personName: str
    isActive: bool


class TokenView(BaseModel):
    """A token of this gateway. The socket URL is `apiServer` with `http` replaced by `ws`, plus `:streamPort`."""

    accessToken: str
    apiServer: str
    expiresAt: str


class PortView(BaseModel):
    """Where the WebSocket listens."""

    streamPort: int


class SymbolsRequest(BaseModel):
    """Symbols by name."""

    symbols: Annotated[list[SymbolName], Field(max_length=MAX_SYMBOLS_PER_REQUEST)]


class PortRequest(BaseModel):
    """What existing front ends send before they open the socket."""

    symbolIds: Annotated[list[SymbolId], Field(max_length=100_000)] = []
    personName: str | None = None


class ClientReport(BaseModel):
    """What a client counted since its start (R19). Times in milliseconds; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore")

    connectionId: Annotated[str, StringConstraints(max_length=128)] | None = None
    connectionsAttempted: Count = 0
    connectionsSucceeded: Count = 0
    connectionsFailed: Count = 0
    messagesReceived: Count = 0
    messagesSent: Count = 0
    reconnectionCount: Count = 0
    averageLatency: Count | None = None
    lastQuoteTime: Any = None
    tokenRefreshCount: Count = 0
    uptime: Count = 0
    status: Any = None


class DrainView(BaseModel):
    """How far the gateway is with leaving: `serving`, `leaving`, `closing`, `gone`; clients here, and ways taken."""

    phase: str
    clients: int
    told: int
    closed: int
    cut: int


class Received(BaseModel):
    """A report was taken."""

    received: bool = True
