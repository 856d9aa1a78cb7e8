"""One origin for services that listen on ports of their own, for clients that expect one."""

from collections.abc import Mapping

import httpx

from standalone.gateway_routes import service_for


class GatewayTransport(httpx.AsyncBaseTransport):
    """Sends each request to the service that answers its path, by the gateway's own table."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = {service: httpx.URL(url) for service, url in urls.items()}
        self._transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_connections=100, keepalive_expiry=5)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        service = service_for(request.url.path)
        if service is None:
            return httpx.Response(404, json={"detail": "Not Found"})
        target = self._urls[service]
        request.url = request.url.copy_with(host=target.host, port=target.port)
        request.headers["Host"] = target.netloc.decode()
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()
