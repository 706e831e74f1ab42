"""TLS in front of `retake serve`, and a proxy that leads fal's own hosts to it: for fal's Python client, unchanged.

python docs/fal_tls.py --to 8000 --tls 8443 --proxy 8444 --cert cert.pem --key key.pem
"""

import argparse
import asyncio
import ssl

HOST = "127.0.0.1"


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way, until it ends."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Both ways, between a client and a port of this machine."""
    try:
        there, back = await asyncio.open_connection(HOST, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pipe(reader, back), pipe(there, writer))


async def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--to", 8000), ("--tls", 8443), ("--proxy", 8444)):
        parser.add_argument(name, type=int, default=default, metavar="PORT", help=f"(default: {default})")
    parser.add_argument("--cert", required=True, help="of fal.run, queue.fal.run, rest.fal.ai, v3.fal.media, 127.0.0.1")
    parser.add_argument("--key", required=True)
    args = parser.parse_args()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(args.cert, args.key)

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await join(reader, writer, args.to)

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            head = b""
        if not head.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")  # wherever it wanted to go
        await join(reader, writer, args.tls)

    servers = (
        await asyncio.start_server(plain, HOST, args.tls, ssl=context),
        await asyncio.start_server(tunnel, HOST, args.proxy),
    )
    print(f"TLS at https://{HOST}:{args.tls}, proxy at http://{HOST}:{args.proxy}", flush=True)  # noqa: T201 - a command
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
