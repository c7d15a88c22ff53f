"""What a worker reads of metrics and traces; traces by OpenTelemetry's own variables."""

from typing import Literal

from pydantic import Field

from fleet_chassis.settings import ServiceSettings


class TelemetrySettings(ServiceSettings):
    """What of its work a worker shows, and to whom."""

    metrics_tenants: int = Field(
        default=50,
        ge=0,
        le=10_000,
        description="Tenants that have a label of their own in metrics; all others share the label other",
    )
    otel_traces_exporter: Literal["", "none", "otlp", "console"] = Field(
        default="",
        validation_alias="OTEL_TRACES_EXPORTER",
        description="otlp sends traces, console prints them; where empty, an OTLP endpoint means otlp. "
        "All other OTEL_ variables count too (headers, sampler, resource), from the environment alone",
    )
    otel_exporter_otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Where traces go, by OTLP over HTTP, as in http://collector:4318",
    )
    otel_exporter_otlp_traces_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        description="The same as a whole URL, as in http://collector:4318/v1/traces",
    )
    otel_exporter_otlp_protocol: Literal["", "http/protobuf"] = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL",
        description="http/protobuf, which is all that a worker speaks",
    )
    otel_sdk_disabled: bool = Field(
        default=False,
        validation_alias="OTEL_SDK_DISABLED",
        description="true: no traces, whatever else is set",
    )
