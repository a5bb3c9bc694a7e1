//! Bodies of requests, read whole and within a bound: for listeners that know nothing of each other.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body;

/// A whole body in one piece; nothing if it has more than so many bytes. However small the pieces in which it comes, they take no
/// more room than its bytes do: none of them is kept. Nor does its announced length, before it is there.
///
/// # Errors
/// What the body says: it broke off.
pub async fn whole<B>(body: &mut B, bytes_max: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body + Unpin,
{
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if whole.len() + data.remaining() > bytes_max {
            return Ok(None);
        }
        whole.put(data);
    }
    Ok(Some(whole.freeze()))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A body in pieces, which are counted while somebody has them.
    struct Pieces {
        left: usize,
        held: Arc<[u8; 2]>,
        held_max: usize,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.held_max = self.held_max.max(Arc::strong_count(&self.held) - 1);
            if self.left == 0 {
                return Poll::Ready(None);
            }
            self.left -= 1;
            let piece = Bytes::from_owner(Piece(Arc::clone(&self.held)));
            Poll::Ready(Some(Ok(Frame::data(piece))))
        }
    }

    struct Piece(Arc<[u8; 2]>);

    impl AsRef<[u8]> for Piece {
        fn as_ref(&self) -> &[u8] {
            &*self.0
        }
    }

    #[tokio::test]
    async fn a_body_is_bounded_and_none_of_its_pieces_is_kept() {
        let cases =
            [(0, 4, Some(0)), (1, 4, Some(2)), (2, 4, Some(4)), (3, 4, None), (10_000, 20_000, Some(20_000))];
        for (pieces, bytes_max, expected) in cases {
            let mut body = Pieces { left: pieces, held: Arc::new(*b"ab"), held_max: 0 };
            let got = whole(&mut body, bytes_max).await.unwrap();
            assert_eq!(got.map(|whole| whole.len()), expected, "{pieces} pieces into {bytes_max} bytes");
            assert_eq!(body.held_max, 0, "{pieces} pieces");
        }
    }
}
