"""The rebuilt authors' network: its size, and its inverse."""

import pytest
import torch

from benchmarks.peers.authors import Authors


def test_is_as_large_as_theirs_and_decodes_every_latent() -> None:
    authors = Authors(torch.Generator().manual_seed(0))
    assert sum(p.numel() for p in authors.flow.parameters()) == pytest.approx(54e6, rel=0.02)
    assert sum(authors.latents) == 2 * 64 * 64
    latents = [torch.randn(2, dim, generator=torch.Generator().manual_seed(dim)) for dim in authors.latents]
    features = torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        chroma = authors.sample(features, latents)
        condition = [each.expand(2, *each.shape[1:]) for each in (features, authors.vector(features))]
        back, _ = authors.flow(chroma, c=condition)
    assert chroma.shape == (2, 2, 64, 64)
    for latent, found in zip(latents, back, strict=True):
        torch.testing.assert_close(found, latent, atol=1e-2, rtol=1e-2)  # float32, through 44 random couplings
